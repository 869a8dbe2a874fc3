#include "format_save.h"

#include <endian.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "flow_status.h"
#include "format_address.h"
#include "format_line.h"
#include "format_names.h"
#include "format_time.h"

namespace nfconntrack {
namespace {

constexpr FlagName kStatusNames[] = {
    {FlowStatus::kExpected, "EXPECTED"},
    {FlowStatus::kSeenReply, "SEEN_REPLY"},
    {FlowStatus::kAssured, "ASSURED"},
    {FlowStatus::kFixedTimeout, "FIXED_TIMEOUT"},
};

void format_option(FormatBuffer& out, std::string_view option, std::integral auto value) {
  out.text(option);
  out.number(value);
  out.character(' ');
}

void format_option(FormatBuffer& out, std::string_view option, const u8 (&address)[16], u8 family) {
  out.text(option);
  format_address(out, address, family);
  out.character(' ');
}

char verb_of(u8 kind) {
  switch (kind) {
    case Kind::kUpdate:
      return 'U';
    case Kind::kDestroy:
      return 'D';
    default:
      return 'A';
  }
}

void format_status(FormatBuffer& out, u32 status) {
  out.text("-u ");
  const std::size_t start = out.size();
  for (const auto& [bit, name] : kStatusNames) {
    if ((status & bit) == 0) continue;
    out.text(name);
    out.character(',');
  }
  if (out.size() == start) {
    out.text("UNSET ");
    return;
  }
  out.chop();
  out.character(' ');
}

bool same_address(const u8 (&one)[16], const u8 (&other)[16], u8 family) {
  return std::memcmp(one, other, family == AF_INET6 ? 16 : 4) == 0;
}

// Translated: the kernel says that it is, and the addresses show it.
bool is_translated(const FlowView& flow, u32 done, bool same) {
  const bool said = !flow.has(FlowRecord::kHasStatus) || (flow.record.status & done) != 0;
  return said && !same;
}

void format_tuples(FormatBuffer& out, const FlowView& flow) {
  const TupleRecord& orig = flow.record.orig;
  const TupleRecord& reply = flow.record.reply;
  const u8 family = orig.family;
  format_option(out, "-s ", orig.src, family);
  format_option(out, "-d ", orig.dst, family);
  const bool dst_nat =
      is_translated(flow, FlowStatus::kDstNatDone, same_address(reply.src, orig.dst, family));
  format_option(out, dst_nat ? "-g " : "-r ", reply.src, family);
  const bool src_nat =
      is_translated(flow, FlowStatus::kSrcNatDone, same_address(reply.dst, orig.src, family));
  format_option(out, src_nat ? "-n " : "-q ", reply.dst, family);
}

void format_protocol(FormatBuffer& out, u8 protonum) {
  const std::string_view name = protocol_name(protonum);
  if (name.empty()) {
    format_option(out, "-p ", protonum);
    return;
  }
  out.text("-p ");
  out.text(name);
  out.character(' ');
}

struct PortOptions {
  std::string_view orig_src;
  std::string_view orig_dst;
  std::string_view reply_src;
  std::string_view reply_dst;
};

constexpr PortOptions kPorts = {"--sport ", "--dport ", "--reply-port-src ", "--reply-port-dst "};
constexpr PortOptions kKeys = {"--srckey ", "--dstkey ", "--reply-key-src ", "--reply-key-dst "};

void format_ports(FormatBuffer& out, const FlowRecord& flow, const PortOptions& options) {
  constexpr u32 kHasSport = TupleRecord::kHasSport;
  constexpr u32 kHasDport = TupleRecord::kHasDport;
  if ((flow.orig.presence & kHasSport) != 0) format_option(out, options.orig_src, flow.orig.sport);
  if ((flow.orig.presence & kHasDport) != 0) format_option(out, options.orig_dst, flow.orig.dport);
  if ((flow.reply.presence & kHasSport) != 0) {
    format_option(out, options.reply_src, flow.reply.sport);
  }
  if ((flow.reply.presence & kHasDport) != 0) {
    format_option(out, options.reply_dst, flow.reply.dport);
  }
}

void format_icmp(FormatBuffer& out, const TupleRecord& tuple, std::string_view prefix) {
  const auto option = [&](u32 flag, std::string_view name, u16 value) {
    if ((tuple.presence & flag) == 0) return;
    out.text(prefix);
    format_option(out, name, value);
  };
  option(TupleRecord::kHasIcmpType, "type ", tuple.icmpType);
  option(TupleRecord::kHasIcmpCode, "code ", tuple.icmpCode);
  option(TupleRecord::kHasIcmpId, "id ", tuple.icmpId);
}

void format_state(FormatBuffer& out, const FlowView& flow) {
  if (!flow.has(FlowRecord::kHasState)) return;
  const std::string_view name = state_name(flow.record.protoinfo, flow.record.state);
  out.text("--state ");
  out.text(name.empty() ? "NONE" : name);
  out.character(' ');
}

// The original takes and prints the tags in network order, as if they were not.
void format_sctp(FormatBuffer& out, const FlowView& flow) {
  format_state(out, flow);
  if (flow.has(FlowRecord::kHasOrigVtag)) {
    format_option(out, "--orig-vtag ", htobe32(flow.record.origVtag));
  }
  if (flow.has(FlowRecord::kHasReplyVtag)) {
    format_option(out, "--reply-vtag ", htobe32(flow.record.replyVtag));
  }
}

void format_dccp(FormatBuffer& out, const FlowView& flow) {
  format_state(out, flow);
  if (!flow.has(FlowRecord::kHasDccpRole)) return;
  out.text(flow.record.dccpRole == 0 ? "--role client " : "--role server ");
}

void format_protoinfo(FormatBuffer& out, const FlowView& flow, u8 protonum) {
  switch (protonum) {
    case IPPROTO_TCP:
      format_state(out, flow);
      break;
    case IPPROTO_SCTP:
      format_sctp(out, flow);
      break;
    case IPPROTO_DCCP:
      format_dccp(out, flow);
      break;
    default:
      break;
  }
}

void format_protocol_options(FormatBuffer& out, const FlowView& flow) {
  const FlowRecord& record = flow.record;
  const u8 protonum = record.orig.protonum;
  switch (port_kind(protonum)) {
    case PortKind::kPorts:
      format_ports(out, record, kPorts);
      format_protoinfo(out, flow, protonum);
      break;
    case PortKind::kKeys:
      format_ports(out, record, kKeys);
      break;
    case PortKind::kIcmp:
      format_icmp(out, record.orig, protonum == IPPROTO_ICMP ? "--icmp-" : "--icmpv6-");
      break;
    case PortKind::kNone:
      break;
  }
}

void format_zone(FormatBuffer& out, std::string_view option, const TupleRecord& tuple) {
  if ((tuple.presence & TupleRecord::kHasZone) != 0) format_option(out, option, tuple.zone);
}

}  // namespace

void format_save(FormatBuffer& out, const FlowView& flow, const FormatOptions& options) {
  const FlowRecord& record = flow.record;
  out.character('-');
  out.character(options.verb != 0 ? static_cast<char>(options.verb) : verb_of(record.kind));
  out.character(' ');
  if (flow.has(FlowRecord::kHasTimeout)) format_option(out, "-t ", record.timeout);
  if (flow.has(FlowRecord::kHasStatus)) format_status(out, record.status);
  if (flow.has(FlowRecord::kHasSecmark)) format_option(out, "-c ", record.secmark);
  if (flow.has(FlowRecord::kHasZone)) format_option(out, "-w ", record.zone);
  format_zone(out, "--orig-zone ", record.orig);
  format_zone(out, "--reply-zone ", record.reply);
  format_tuples(out, flow);
  format_protocol(out, record.orig.protonum);
  format_protocol_options(out, flow);
  out.chop();
  if (is_event(record)) format_portid(out, record.portid, options);
}

}  // namespace nfconntrack
