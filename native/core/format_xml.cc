#include "format_xml.h"

#include "flow_status.h"
#include "format_address.h"
#include "format_names.h"
#include "format_time.h"
#include "label_bits.h"

namespace nfconntrack {
namespace {

void open(FormatBuffer& out, std::string_view name) {
  out.character('<');
  out.text(name);
  out.character('>');
}

void close(FormatBuffer& out, std::string_view name) {
  out.text("</");
  out.text(name);
  out.character('>');
}

void format_element(FormatBuffer& out, std::string_view name, std::integral auto value) {
  open(out, name);
  out.number(value);
  close(out, name);
}

void format_element(FormatBuffer& out, std::string_view name, std::string_view text) {
  open(out, name);
  out.text(text);
  close(out, name);
}

void format_element(FormatBuffer& out, std::string_view name, Bytes text) {
  format_element(out, name, {reinterpret_cast<const char*>(text.data()), text.size()});
}

void format_hex_element(FormatBuffer& out, std::string_view name, u16 value) {
  open(out, name);
  out.text("0x");
  out.hex(value);
  close(out, name);
}

std::string_view start_of(u8 kind) {
  switch (kind) {
    case Kind::kNew:
      return "<flow type=\"new\">";
    case Kind::kUpdate:
      return "<flow type=\"update\">";
    case Kind::kDestroy:
      return "<flow type=\"destroy\">";
    default:
      return "<flow>";
  }
}

// The original asks for the counters of the first direction before it prints those of either. The
// kernel sends all or none.
constexpr u32 kHasCounters = FlowRecord::kHasOrigPackets | FlowRecord::kHasOrigBytes;

// With any of these, or labels, there is the third <meta>; every message of the kernel has a
// status.
constexpr u32 kInMeta = FlowRecord::kHasState | FlowRecord::kHasTimeout | FlowRecord::kHasMark |
                        FlowRecord::kHasSecmark | FlowRecord::kHasZone | FlowRecord::kHasUse |
                        FlowRecord::kHasStatus | FlowRecord::kHasId |
                        FlowRecord::kHasTimestampStart | FlowRecord::kHasTimestampStop;

void format_direction(FormatBuffer& out, const FlowView& flow, const TupleRecord& tuple,
                      u64 packets, u64 bytes) {
  format_layer3(out, tuple.family);
  format_xml_addresses(out, tuple);
  out.text("</layer3>");
  format_layer4(out, tuple.protonum);
  format_xml_ports(out, tuple);
  out.text("</layer4>");
  if ((tuple.presence & TupleRecord::kHasZone) != 0) format_element(out, "zone", tuple.zone);
  if (flow.has(kHasCounters)) {
    out.text("<counters>");
    format_element(out, "packets", packets);
    format_element(out, "bytes", bytes);
    out.text("</counters>");
  }
  out.text("</meta>");
}

void format_labels(FormatBuffer& out, Bytes labels, const LabelNames& names) {
  out.text("<labels>");
  for_each_label(labels, [&](std::size_t bit) {
    if (!names[bit].empty()) format_element(out, "label", names[bit]);
  });
  out.text("</labels>");
}

void format_timestamps(FormatBuffer& out, const FlowView& flow) {
  const bool start = flow.has(FlowRecord::kHasTimestampStart);
  const bool stop = flow.has(FlowRecord::kHasTimestampStop);
  if (!start && !stop) return;
  out.text("<timestamp>");
  if (start) format_element(out, "start", flow.record.timestampStart);
  if (stop) format_element(out, "stop", flow.record.timestampStop);
  out.text("</timestamp>");
}

void format_meta(FormatBuffer& out, const FlowView& flow, const FormatOptions& options) {
  const FlowRecord& record = flow.record;
  Bytes text;
  const bool framed = (record.presence & kInMeta) != 0 || flow.find(TailType::kLabels, text);
  if (framed) out.text("<meta direction=\"independent\">");
  if (flow.has(FlowRecord::kHasState)) {
    const std::string_view name = state_name(Protoinfo::kTcp, record.state);
    format_element(out, "state", name.empty() ? "NONE" : name);
  }
  if (flow.has(FlowRecord::kHasTimeout)) format_element(out, "timeout", record.timeout);
  if (flow.has(FlowRecord::kHasMark)) format_element(out, "mark", record.mark);
  if (options.labels != nullptr && flow.find(TailType::kLabels, text)) {
    format_labels(out, text, *options.labels);
  }
  if (flow.has(FlowRecord::kHasSecmark)) format_element(out, "secmark", record.secmark);
  if (flow.find(TailType::kSecctx, text)) format_element(out, "secctx", text);
  if (flow.has(FlowRecord::kHasZone)) format_element(out, "zone", record.zone);
  if (flow.has(FlowRecord::kHasUse)) format_element(out, "use", record.use);
  if (flow.has(FlowRecord::kHasId)) format_element(out, "id", record.id);
  if (flow.has(FlowRecord::kHasStatus)) {
    if ((record.status & FlowStatus::kAssured) != 0) out.text("<assured/>");
    if ((record.status & FlowStatus::kSeenReply) == 0) out.text("<unreplied/>");
  }
  if (options.ktimestamp) format_timestamps(out, flow);
  if (flow.has(FlowRecord::kHasTimestampStart)) {
    format_element(out, "deltatime", exact_duration_of(flow, options.now));
  }
  if (framed) out.text("</meta>");
}

}  // namespace

void format_layer3(FormatBuffer& out, u8 family) {
  out.text("<layer3 protonum=\"");
  out.number(family);
  out.text("\" protoname=\"");
  out.text(family_name(family));
  out.text("\">");
}

void format_layer4(FormatBuffer& out, u8 protonum) {
  const std::string_view name = protocol_name(protonum);
  out.text("<layer4 protonum=\"");
  out.number(protonum);
  out.text("\" protoname=\"");
  out.text(name.empty() ? "unknown" : name);
  out.text("\">");
}

void format_xml_addresses(FormatBuffer& out, const TupleRecord& tuple) {
  out.text("<src>");
  format_address(out, tuple.src, tuple.family);
  out.text("</src><dst>");
  format_address(out, tuple.dst, tuple.family);
  out.text("</dst>");
}

void format_xml_ports(FormatBuffer& out, const TupleRecord& tuple) {
  switch (port_kind(tuple.protonum)) {
    case PortKind::kPorts:
      format_element(out, "sport", tuple.sport);
      format_element(out, "dport", tuple.dport);
      break;
    case PortKind::kKeys:
      format_hex_element(out, "srckey", tuple.sport);
      format_hex_element(out, "dstkey", tuple.dport);
      break;
    case PortKind::kIcmp:
    case PortKind::kNone:
      break;
  }
}

void format_xml(FormatBuffer& out, const FlowView& flow, const FormatOptions& options) {
  const FlowRecord& record = flow.record;
  out.text(start_of(record.kind));
  out.text("<meta direction=\"original\">");
  format_direction(out, flow, record.orig, record.origPackets, record.origBytes);
  out.text("<meta direction=\"reply\">");
  format_direction(out, flow, record.reply, record.replyPackets, record.replyBytes);
  format_meta(out, flow, options);
  if (options.timestamp && is_event(record)) format_when(out, time_of(record));
  Bytes helper;
  if (flow.find(TailType::kHelper, helper)) format_element(out, "helper", helper);
  out.text("</flow>");
}

}  // namespace nfconntrack
