#include "format_line.h"

#include "flow_status.h"
#include "format_address.h"
#include "format_names.h"
#include "format_time.h"
#include "label_bits.h"

namespace nfconntrack {
namespace {

constexpr std::size_t kNameWidth = 8;
constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kNsPerUs = 1'000;

void format_field(FormatBuffer& out, std::string_view name, std::integral auto value) {
  out.text(name);
  out.number(value);
  out.character(' ');
}

void format_field(FormatBuffer& out, std::string_view name, Bytes value) {
  out.text(name);
  out.text(value);
  out.character(' ');
}

void format_hex_field(FormatBuffer& out, std::string_view name, u16 value) {
  out.text(name);
  out.hex(value);
  out.character(' ');
}

// "tcp      6 "
void format_numbered(FormatBuffer& out, std::string_view name, u8 number) {
  constexpr std::string_view kBlanks = "        ";
  out.text(name.empty() ? "unknown" : name);
  if (name.size() < kNameWidth) out.text(kBlanks.substr(name.empty() ? 7 : name.size()));
  out.character(' ');
  out.number(number);
  out.character(' ');
}

std::string_view tag_of(u8 kind) {
  switch (kind) {
    case Kind::kNew:
      return "    [NEW] ";
    case Kind::kUpdate:
      return " [UPDATE] ";
    case Kind::kDestroy:
      return "[DESTROY] ";
    default:
      return {};
  }
}

void format_event(FormatBuffer& out, const FlowRecord& flow, bool timestamp) {
  if (!is_event(flow)) return;
  if (timestamp) {
    const u64 time = time_of(flow);
    out.character('[');
    out.number(time / kNsPerSecond);
    out.character('.');
    out.padded(static_cast<u32>(time % kNsPerSecond / kNsPerUs), 6);
    out.text("]\t");
  }
  out.text(tag_of(flow.kind));
}

void format_state(FormatBuffer& out, const FlowRecord& flow) {
  const std::string_view name = state_name(flow.protoinfo, flow.state);
  out.text(name.empty() ? "NONE" : name);
  out.character(' ');
}

struct Counters {
  u32 flags;
  u64 packets;
  u64 bytes;
};

void format_direction(FormatBuffer& out, const FlowView& flow, const TupleRecord& tuple,
                      std::string_view zone, const Counters& counters) {
  format_addresses(out, tuple, "src=", "dst=");
  format_ports(out, tuple);
  if ((tuple.presence & TupleRecord::kHasZone) != 0) format_field(out, zone, tuple.zone);
  if (!flow.has(counters.flags)) return;
  format_field(out, "packets=", counters.packets);
  format_field(out, "bytes=", counters.bytes);
}

void format_flags(FormatBuffer& out, u32 status) {
  if ((status & FlowStatus::kHwOffload) != 0) {
    out.text("[HW_OFFLOAD] ");
  } else if ((status & FlowStatus::kOffload) != 0) {
    out.text("[OFFLOAD] ");
  } else if ((status & FlowStatus::kAssured) != 0) {
    out.text("[ASSURED] ");
  }
}

void format_duration(FormatBuffer& out, const FlowView& flow, u64 now) {
  if (!flow.has(FlowRecord::kHasTimestampStart)) return;
  format_field(out, "delta-time=", duration_of(flow, now));
}

void format_date_field(FormatBuffer& out, std::string_view name, u64 time) {
  out.text(name);
  format_date(out, time);
  out.text("] ");
}

void format_dates(FormatBuffer& out, const FlowView& flow) {
  if (flow.has(FlowRecord::kHasTimestampStart)) {
    format_date_field(out, "[start=", flow.record.timestampStart);
  }
  if (flow.has(FlowRecord::kHasTimestampStop)) {
    format_date_field(out, "[stop=", flow.record.timestampStop);
  }
}

// The original takes the blank behind the last label away, whatever stands there: of labels without
// a single name it is the `=`.
void format_labels(FormatBuffer& out, Bytes labels, const LabelNames& names) {
  out.text("labels=");
  for_each_label(labels, [&](std::size_t bit) {
    const std::string_view name = names[bit];
    if (name.empty()) return;
    out.text(name);
    out.character(',');
  });
}

void format_rest(FormatBuffer& out, const FlowView& flow, const FormatOptions& options) {
  const FlowRecord& record = flow.record;
  Bytes text;
  if (flow.has(FlowRecord::kHasStatus)) format_flags(out, record.status);
  if (flow.has(FlowRecord::kHasMark)) format_field(out, "mark=", record.mark);
  if (flow.has(FlowRecord::kHasSecmark)) format_field(out, "secmark=", record.secmark);
  if (flow.find(TailType::kSecctx, text)) format_field(out, "secctx=", text);
  if (flow.has(FlowRecord::kHasZone)) format_field(out, "zone=", record.zone);
  format_duration(out, flow, options.now);
  if (options.ktimestamp) format_dates(out, flow);
  if (flow.find(TailType::kHelper, text)) format_field(out, "helper=", text);
  if (flow.has(FlowRecord::kHasUse)) format_field(out, "use=", record.use);
  if (options.id && flow.has(FlowRecord::kHasId)) format_field(out, "id=", record.id);
  if (options.labels != nullptr && flow.find(TailType::kLabels, text)) {
    format_labels(out, text, *options.labels);
  }
}

}  // namespace

void format_addresses(FormatBuffer& out, const TupleRecord& tuple, std::string_view src,
                      std::string_view dst) {
  out.text(src);
  format_address(out, tuple.src, tuple.family);
  out.character(' ');
  out.text(dst);
  format_address(out, tuple.dst, tuple.family);
  out.character(' ');
}

void format_ports(FormatBuffer& out, const TupleRecord& tuple) {
  switch (port_kind(tuple.protonum)) {
    case PortKind::kPorts:
      format_field(out, "sport=", tuple.sport);
      format_field(out, "dport=", tuple.dport);
      break;
    case PortKind::kKeys:
      format_hex_field(out, "srckey=0x", tuple.sport);
      format_hex_field(out, "dstkey=0x", tuple.dport);
      break;
    case PortKind::kIcmp:
      format_field(out, "type=", tuple.icmpType);
      format_field(out, "code=", tuple.icmpCode);
      format_field(out, "id=", tuple.icmpId);
      break;
    case PortKind::kNone:
      break;
  }
}

void format_portid(FormatBuffer& out, u32 portid, const FormatOptions& options) {
  if (portid == 0) return;
  out.text(" [USERSPACE] portid=");
  out.number(portid);
  const std::string_view program = options.program(portid);
  if (program.empty()) return;
  out.text(" progname=");
  out.text(program);
}

void format_line(FormatBuffer& out, const FlowView& flow, const FormatOptions& options) {
  const FlowRecord& record = flow.record;
  const u8 protonum = record.orig.protonum;
  format_event(out, record, options.timestamp);
  if (options.extended) format_numbered(out, family_name(record.family), record.family);
  format_numbered(out, protocol_name(protonum), protonum);
  if (flow.has(FlowRecord::kHasTimeout)) {
    out.number(record.timeout);
    out.character(' ');
  }
  if (flow.has(FlowRecord::kHasState)) format_state(out, record);
  format_direction(out, flow, record.orig, "zone-orig=",
                   {FlowRecord::kHasOrigPackets | FlowRecord::kHasOrigBytes, record.origPackets,
                    record.origBytes});
  const bool unreplied = (record.status & FlowStatus::kSeenReply) == 0;
  if (flow.has(FlowRecord::kHasStatus) && unreplied) out.text("[UNREPLIED] ");
  format_direction(out, flow, record.reply, "zone-reply=",
                   {FlowRecord::kHasReplyPackets | FlowRecord::kHasReplyBytes, record.replyPackets,
                    record.replyBytes});
  format_rest(out, flow, options);
  out.chop();
  if (is_event(record)) format_portid(out, record.portid, options);
}

}  // namespace nfconntrack
