#include "flow_encoder.h"

#include <sys/socket.h>

#include "ctnetlink.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

constexpr u32 kTripleSize = 3;

bool has(const FlowRecord& flow, u32 flag) { return (flow.presence & flag) != 0; }

void put_tcp_flags(Request& request, u16 type, u8 flags, u8 mask) {
  const u8 value[] = {flags, mask};
  request.put_bytes(type, value);
}

void put_tcp(Request& request, const FlowRecord& flow) {
  if (has(flow, FlowRecord::kHasState)) request.put_u8(kTcpState, flow.state);
  if (has(flow, FlowRecord::kHasOrigWindowScale)) {
    request.put_u8(kTcpWscaleOrig, flow.origWindowScale);
  }
  if (has(flow, FlowRecord::kHasReplyWindowScale)) {
    request.put_u8(kTcpWscaleReply, flow.replyWindowScale);
  }
  if (has(flow, FlowRecord::kHasOrigTcpFlags)) {
    put_tcp_flags(request, kTcpFlagsOrig, flow.origTcpFlags, flow.origTcpFlagsMask);
  }
  if (has(flow, FlowRecord::kHasReplyTcpFlags)) {
    put_tcp_flags(request, kTcpFlagsReply, flow.replyTcpFlags, flow.replyTcpFlagsMask);
  }
}

void put_sctp(Request& request, const FlowRecord& flow) {
  if (has(flow, FlowRecord::kHasState)) request.put_u8(kSctpState, flow.state);
  if (has(flow, FlowRecord::kHasOrigVtag)) request.put_be32(kSctpVtagOrig, flow.origVtag);
  if (has(flow, FlowRecord::kHasReplyVtag)) request.put_be32(kSctpVtagReply, flow.replyVtag);
}

void put_dccp(Request& request, const FlowRecord& flow, const BatchView& batch) {
  u64 sequence = 0;
  if (has(flow, FlowRecord::kHasState)) request.put_u8(kDccpState, flow.state);
  if (has(flow, FlowRecord::kHasDccpRole)) request.put_u8(kDccpRole, flow.dccpRole);
  if (batch.find_value(flow, TailType::kDccpHandshakeSeq, sequence)) {
    request.put_be64(kDccpHandshakeSeq, sequence);
  }
}

void put_protoinfo(Request& request, const FlowRecord& flow, const BatchView& batch) {
  if (flow.protoinfo == Protoinfo::kNone) return;
  nlattr* outer = request.open_nest(kProtoinfo);
  // The kinds of Protoinfo are numbered as CTA_PROTOINFO_*.
  nlattr* inner = request.open_nest(flow.protoinfo);
  if (flow.protoinfo == Protoinfo::kTcp) put_tcp(request, flow);
  if (flow.protoinfo == Protoinfo::kSctp) put_sctp(request, flow);
  if (flow.protoinfo == Protoinfo::kDccp) put_dccp(request, flow, batch);
  request.close_nest(inner);
  request.close_nest(outer);
}

void put_nat_address(Request& request, u8 family, u16 v4_type, u16 v6_type,
                     const u8 (&address)[16]) {
  const bool v4 = family == AF_INET;
  request.put_bytes(v4 ? v4_type : v6_type, Bytes(address, v4 ? 4 : 16));
}

void put_nat(Request& request, u16 type, u8 family, const NatRecord& nat) {
  nlattr* outer = request.open_nest(type);
  if (nat.presence & NatRecord::kHasMinAddress) {
    put_nat_address(request, family, kNatV4Min, kNatV6Min, nat.minAddress);
  }
  if (nat.presence & NatRecord::kHasMaxAddress) {
    put_nat_address(request, family, kNatV4Max, kNatV6Max, nat.maxAddress);
  }
  if (nat.presence & (NatRecord::kHasMinPort | NatRecord::kHasMaxPort)) {
    nlattr* ports = request.open_nest(kNatProto);
    if (nat.presence & NatRecord::kHasMinPort) request.put_be16(kNatPortMin, nat.minPort);
    if (nat.presence & NatRecord::kHasMaxPort) request.put_be16(kNatPortMax, nat.maxPort);
    request.close_nest(ports);
  }
  request.close_nest(outer);
}

void put_triple(Request& request, u16 type, const u32 (&values)[kTripleSize]) {
  nlattr* nest = request.open_nest(type);
  for (u16 i = 0; i < kTripleSize; ++i) request.put_be32(static_cast<u16>(i + 1), values[i]);
  request.close_nest(nest);
}

// What the original of such a flow is called without a zone, another flow's reply may be called
// too.
bool only_reply_has_zone(const FlowRecord& flow) {
  const auto has_zone = [](const TupleRecord& tuple) {
    return (tuple.presence & TupleRecord::kHasZone) != 0;
  };
  return has(flow, FlowRecord::kHasReply) && has_zone(flow.reply) && !has_zone(flow.orig);
}

void put_tail(Request& request, const FlowRecord& flow, const BatchView& batch) {
  Bytes bytes;
  if (batch.find(flow, TailType::kHelper, bytes)) {
    nlattr* nest = request.open_nest(kHelp);
    request.put_text(kHelpName, bytes);
    request.close_nest(nest);
  }
  TupleRecord master;
  if (batch.find_value(flow, TailType::kMaster, master)) request.put_tuple(kTupleMaster, master);
  NatRecord nat;
  if (batch.find_value(flow, TailType::kNatSrc, nat)) put_nat(request, kNatSrc, flow.family, nat);
  if (batch.find_value(flow, TailType::kNatDst, nat)) put_nat(request, kNatDst, flow.family, nat);
  u32 triple[kTripleSize];
  if (batch.find_value(flow, TailType::kOrigSeqAdjust, triple)) {
    put_triple(request, kSeqAdjOrig, triple);
  }
  if (batch.find_value(flow, TailType::kReplySeqAdjust, triple)) {
    put_triple(request, kSeqAdjReply, triple);
  }
  if (batch.find_value(flow, TailType::kSynproxy, triple)) put_triple(request, kSynproxy, triple);
}

}  // namespace

void put_identity(Request& request, const FlowRecord& flow) {
  const bool by_reply = !has(flow, FlowRecord::kHasOrig) || only_reply_has_zone(flow);
  if (by_reply) {
    request.put_tuple(kTupleReply, flow.reply);
  } else {
    request.put_tuple(kTupleOrig, flow.orig);
  }
  if (has(flow, FlowRecord::kHasZone)) request.put_be16(kZone, flow.zone);
  if (has(flow, FlowRecord::kHasId)) request.put_be32(kId, flow.id);
}

void put_flow(Request& request, const FlowRecord& flow, const BatchView& batch) {
  if (has(flow, FlowRecord::kHasOrig)) request.put_tuple(kTupleOrig, flow.orig);
  if (has(flow, FlowRecord::kHasReply)) request.put_tuple(kTupleReply, flow.reply);
  if (has(flow, FlowRecord::kHasZone)) request.put_be16(kZone, flow.zone);
  if (has(flow, FlowRecord::kHasStatus)) request.put_be32(kStatus, flow.status);
  if (has(flow, FlowRecord::kHasTimeout)) request.put_be32(kTimeout, flow.timeout);
  if (has(flow, FlowRecord::kHasMark)) request.put_be32(kMark, flow.mark);
  u32 mask = 0;
  if (batch.find_value(flow, TailType::kMarkMask, mask)) request.put_be32(kMarkMask, mask);
  put_protoinfo(request, flow, batch);
  put_tail(request, flow, batch);
}

void put_labels(Request& request, const FlowRecord& flow, const BatchView& batch) {
  Bytes bytes;
  if (batch.find(flow, TailType::kLabels, bytes)) request.put_bytes(kLabels, bytes);
  if (batch.find(flow, TailType::kLabelsMask, bytes)) request.put_bytes(kLabelsMask, bytes);
}

bool has_labels(const FlowRecord& flow, const BatchView& batch) {
  Bytes bytes;
  return batch.find(flow, TailType::kLabels, bytes);
}

}  // namespace nfconntrack
