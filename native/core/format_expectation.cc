#include "format_expectation.h"

#include "format_line.h"
#include "format_time.h"
#include "format_xml.h"

namespace nfconntrack {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kNsPerUs = 1'000;

struct FlagName {
  u32 bit;
  std::string_view text;
  std::string_view element;
};

// NF_CT_EXPECT_* of <linux/netfilter/nf_conntrack_common.h>.
constexpr FlagName kFlags[] = {
    {1U << 0, "PERMANENT", "<permanent/>"},
    {1U << 1, "INACTIVE", "<inactive/>"},
    {1U << 2, "USERSPACE", "<userspace/>"},
};

void format_field(FormatBuffer& out, std::string_view name, u32 value) {
  out.text(name);
  out.number(value);
  out.character(' ');
}

// With the microseconds padded on the right, by blanks.
void format_timestamp(FormatBuffer& out, u64 time) {
  constexpr std::size_t kWidth = 6;
  out.character('[');
  out.number(time / kNsPerSecond);
  out.character('.');
  const std::size_t start = out.size();
  out.number(time % kNsPerSecond / kNsPerUs);
  while (out.size() < start + kWidth) out.character(' ');
  out.text("]\t");
}

void format_flags(FormatBuffer& out, u32 flags) {
  const std::size_t start = out.size();
  for (const FlagName& flag : kFlags) {
    if ((flags & flag.bit) == 0) continue;
    if (out.size() != start) out.character(',');
    out.text(flag.text);
  }
  if (out.size() != start) out.character(' ');
}

std::string_view tag_of(u8 kind) {
  switch (kind) {
    case Kind::kExpectationNew:
      return "    [NEW] ";
    case Kind::kExpectationDestroy:
      return "[DESTROY] ";
    default:
      return {};
  }
}

std::string_view start_of(u8 kind) {
  switch (kind) {
    case Kind::kExpectationNew:
      return "<flow type=\"new\">";
    case Kind::kExpectationDestroy:
      return "<flow type=\"destroy\">";
    default:
      return "<flow>";
  }
}

u64 when_of(const ExpectationRecord& record, const FormatOptions& options) {
  return is_event(record) ? time_of(record) : options.now;
}

void format_xml_part(FormatBuffer& out, std::string_view name, const TupleRecord& tuple,
                     void (*format)(FormatBuffer&, const TupleRecord&)) {
  out.character('<');
  out.text(name);
  out.character('>');
  format(out, tuple);
  out.text("</");
  out.text(name);
  out.character('>');
}

void format_xml_parts(FormatBuffer& out, const ExpectationRecord& record,
                      void (*format)(FormatBuffer&, const TupleRecord&)) {
  format_xml_part(out, "expected", record.tuple, format);
  format_xml_part(out, "mask", record.mask, format);
  format_xml_part(out, "master", record.master, format);
}

void format_number_element(FormatBuffer& out, std::string_view start, u32 value,
                           std::string_view end) {
  out.text(start);
  out.number(value);
  out.text(end);
}

void format_meta(FormatBuffer& out, const ExpectationView& expectation,
                 const FormatOptions& options) {
  const ExpectationRecord& record = expectation.record;
  Bytes helper;
  if (expectation.find(TailType::kHelper, helper)) {
    out.text("<helper-name>");
    out.text(helper);
    out.text("</helper-name>");
  }
  if (expectation.has(ExpectationRecord::kHasTimeout)) {
    format_number_element(out, "<timeout>", record.timeout, "</timeout>");
  }
  if (expectation.has(ExpectationRecord::kHasClass)) {
    format_number_element(out, "<class>", record.class_, "</class>");
  }
  if (expectation.has(ExpectationRecord::kHasZone)) {
    format_number_element(out, "<zone>", record.zone, "</zone>");
  }
  if (options.timestamp) format_when(out, when_of(record, options));
  for (const FlagName& flag : kFlags) {
    if ((record.flags & flag.bit) != 0) out.text(flag.element);
  }
}

}  // namespace

void format_line(FormatBuffer& out, const ExpectationView& expectation,
                 const FormatOptions& options) {
  const ExpectationRecord& record = expectation.record;
  Bytes helper;
  if (options.timestamp) format_timestamp(out, when_of(record, options));
  out.text(tag_of(record.kind));
  if (expectation.has(ExpectationRecord::kHasTimeout)) format_field(out, "", record.timeout);
  format_field(out, "proto=", record.tuple.protonum);
  format_addresses(out, record.tuple, "src=", "dst=");
  format_ports(out, record.tuple);
  format_addresses(out, record.mask, "mask-src=", "mask-dst=");
  format_ports(out, record.mask);
  format_addresses(out, record.master, "master-src=", "master-dst=");
  format_ports(out, record.master);
  if (expectation.has(ExpectationRecord::kHasZone)) format_field(out, "zone=", record.zone);
  format_flags(out, record.flags);
  if (expectation.has(ExpectationRecord::kHasClass)) format_field(out, "class=", record.class_);
  if (expectation.find(TailType::kHelper, helper)) {
    out.text("helper=");
    out.text(helper);
    return;
  }
  out.chop();
}

void format_xml(FormatBuffer& out, const ExpectationView& expectation,
                const FormatOptions& options) {
  const ExpectationRecord& record = expectation.record;
  out.text(start_of(record.kind));
  format_layer3(out, record.family);
  format_xml_parts(out, record, format_xml_addresses);
  out.text("</layer3>");
  format_layer4(out, record.tuple.protonum);
  format_xml_parts(out, record, format_xml_ports);
  out.text("</layer4><meta>");
  format_meta(out, expectation, options);
  out.text("</meta></flow>");
}

}  // namespace nfconntrack
