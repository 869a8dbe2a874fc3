#include "format_json.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "flow_status.h"
#include "format_address.h"
#include "format_names.h"
#include "format_time.h"
#include "json_writer.h"
#include "label_bits.h"

namespace nfconntrack {
namespace {

constexpr FlagName kStatusFlags[] = {
    {FlowStatus::kExpected, "EXPECTED"},
    {FlowStatus::kSeenReply, "SEEN_REPLY"},
    {FlowStatus::kAssured, "ASSURED"},
    {FlowStatus::kConfirmed, "CONFIRMED"},
    {FlowStatus::kSrcNat, "SRC_NAT"},
    {FlowStatus::kDstNat, "DST_NAT"},
    {FlowStatus::kSeqAdjust, "SEQ_ADJUST"},
    {FlowStatus::kSrcNatDone, "SRC_NAT_DONE"},
    {FlowStatus::kDstNatDone, "DST_NAT_DONE"},
    {FlowStatus::kDying, "DYING"},
    {FlowStatus::kFixedTimeout, "FIXED_TIMEOUT"},
    {FlowStatus::kTemplate, "TEMPLATE"},
    {FlowStatus::kUntracked, "UNTRACKED"},
    {FlowStatus::kHelper, "HELPER"},
    {FlowStatus::kOffload, "OFFLOAD"},
    {FlowStatus::kHwOffload, "HW_OFFLOAD"},
};

// NF_CT_EXPECT_* of <linux/netfilter/nf_conntrack_common.h>.
constexpr FlagName kExpectationFlags[] = {
    {1U << 0, "PERMANENT"},
    {1U << 1, "INACTIVE"},
    {1U << 2, "USERSPACE"},
};

constexpr FlagName kGapReasons[] = {
    {GapReason::kOverrun, "overrun"},
    {GapReason::kQueue, "queue"},
    {GapReason::kMalformed, "malformed"},
};

void flags(JsonWriter& json, std::string_view name, std::span<const FlagName> names, u32 bits) {
  json.member(name);
  json.open('[');
  for (const FlagName& flag : names) {
    if ((bits & flag.bit) == 0) continue;
    json.item();
    json.word(flag.name);
  }
  json.close(']');
}

void address(JsonWriter& json, std::string_view name, const u8 (&bytes)[16], u8 family) {
  json.member(name);
  json.out().character('"');
  format_address(json.out(), bytes, family);
  json.out().character('"');
}

// The protocol's name, or its number as text.
void protocol(JsonWriter& json, u8 protonum) {
  const std::string_view name = protocol_name(protonum);
  json.member("\"protocol\":\"");
  if (name.empty()) {
    json.out().number(protonum);
  } else {
    json.out().text(name);
  }
  json.out().character('"');
}

void family(JsonWriter& json, u8 family) {
  json.word("\"family\":", family == AF_INET6 ? "ipv6" : "ipv4");
}

// The members of a tuple, without its brackets.
void tuple(JsonWriter& json, const TupleRecord& tuple) {
  const auto has = [&](u32 flag) { return (tuple.presence & flag) != 0; };
  const bool gre = tuple.protonum == IPPROTO_GRE;
  if (has(TupleRecord::kHasSrc)) address(json, "\"src\":", tuple.src, tuple.family);
  if (has(TupleRecord::kHasDst)) address(json, "\"dst\":", tuple.dst, tuple.family);
  if (!gre && has(TupleRecord::kHasSport)) json.number("\"sport\":", tuple.sport);
  if (!gre && has(TupleRecord::kHasDport)) json.number("\"dport\":", tuple.dport);
  if (has(TupleRecord::kHasIcmpType)) json.number("\"icmpType\":", tuple.icmpType);
  if (has(TupleRecord::kHasIcmpCode)) json.number("\"icmpCode\":", tuple.icmpCode);
  if (has(TupleRecord::kHasIcmpId)) json.number("\"icmpId\":", tuple.icmpId);
  if (gre && has(TupleRecord::kHasSport)) json.number("\"srckey\":", tuple.sport);
  if (gre && has(TupleRecord::kHasDport)) json.number("\"dstkey\":", tuple.dport);
  if (has(TupleRecord::kHasZone)) json.number("\"zone\":", tuple.zone);
}

void tuple_object(JsonWriter& json, std::string_view name, const TupleRecord& record) {
  json.object(name);
  tuple(json, record);
  json.close('}');
}

void state(JsonWriter& json, const FlowView& flow) {
  if (!flow.has(FlowRecord::kHasState)) return;
  const std::string_view name = state_name(flow.record.protoinfo, flow.record.state);
  json.member("\"state\":\"");
  if (name.empty()) {
    json.out().number(flow.record.state);
  } else {
    json.out().text(name);
  }
  json.out().character('"');
}

void orig(JsonWriter& json, const FlowView& flow) {
  const FlowRecord& record = flow.record;
  json.object("\"orig\":");
  tuple(json, record.orig);
  if (flow.has(FlowRecord::kHasOrigPackets)) json.wide("\"packets\":", record.origPackets);
  if (flow.has(FlowRecord::kHasOrigBytes)) json.wide("\"bytes\":", record.origBytes);
  json.close('}');
}

void reply(JsonWriter& json, const FlowView& flow) {
  const FlowRecord& record = flow.record;
  json.object("\"reply\":");
  tuple(json, record.reply);
  if (flow.has(FlowRecord::kHasReplyPackets)) json.wide("\"packets\":", record.replyPackets);
  if (flow.has(FlowRecord::kHasReplyBytes)) json.wide("\"bytes\":", record.replyBytes);
  json.close('}');
}

void labels(JsonWriter& json, Bytes bits) {
  json.member("\"labels\":");
  json.open('[');
  for_each_label(bits, [&](std::size_t bit) {
    json.item();
    json.out().number(bit);
  });
  json.close(']');
}

void timestamps(JsonWriter& json, const FlowView& flow) {
  const bool start = flow.has(FlowRecord::kHasTimestampStart);
  const bool stop = flow.has(FlowRecord::kHasTimestampStop);
  if (!start && !stop) return;
  json.object("\"timestamps\":");
  if (start) json.milliseconds("\"start\":", flow.record.timestampStart);
  if (stop) json.milliseconds("\"stop\":", flow.record.timestampStop);
  json.close('}');
}

void tcp_flags(JsonWriter& json, std::string_view name, u8 value, u8 mask) {
  json.object(name);
  json.number("\"value\":", value);
  json.number("\"mask\":", mask);
  json.close('}');
}

void tcp(JsonWriter& json, const FlowView& flow) {
  const FlowRecord& record = flow.record;
  json.object("\"tcp\":");
  state(json, flow);
  if (flow.has(FlowRecord::kHasOrigWindowScale)) {
    json.number("\"origWindowScale\":", record.origWindowScale);
  }
  if (flow.has(FlowRecord::kHasReplyWindowScale)) {
    json.number("\"replyWindowScale\":", record.replyWindowScale);
  }
  if (flow.has(FlowRecord::kHasOrigTcpFlags)) {
    tcp_flags(json, "\"origFlags\":", record.origTcpFlags, record.origTcpFlagsMask);
  }
  if (flow.has(FlowRecord::kHasReplyTcpFlags)) {
    tcp_flags(json, "\"replyFlags\":", record.replyTcpFlags, record.replyTcpFlagsMask);
  }
  json.close('}');
}

void sctp(JsonWriter& json, const FlowView& flow) {
  json.object("\"sctp\":");
  state(json, flow);
  if (flow.has(FlowRecord::kHasOrigVtag)) json.number("\"origVtag\":", flow.record.origVtag);
  if (flow.has(FlowRecord::kHasReplyVtag)) json.number("\"replyVtag\":", flow.record.replyVtag);
  json.close('}');
}

void dccp(JsonWriter& json, const FlowView& flow) {
  u64 sequence = 0;
  json.object("\"dccp\":");
  state(json, flow);
  if (flow.has(FlowRecord::kHasDccpRole)) json.number("\"role\":", flow.record.dccpRole);
  if (flow.find_value(TailType::kDccpHandshakeSeq, sequence)) {
    json.wide("\"handshakeSeq\":", sequence);
  }
  json.close('}');
}

void protoinfo(JsonWriter& json, const FlowView& flow) {
  switch (flow.record.protoinfo) {
    case Protoinfo::kTcp:
      tcp(json, flow);
      break;
    case Protoinfo::kSctp:
      sctp(json, flow);
      break;
    case Protoinfo::kDccp:
      dccp(json, flow);
      break;
    default:
      break;
  }
}

void adjustment(JsonWriter& json, std::string_view name, const u32 (&values)[3]) {
  json.object(name);
  json.number("\"position\":", values[0]);
  json.number("\"offsetBefore\":", static_cast<std::int32_t>(values[1]));
  json.number("\"offsetAfter\":", static_cast<std::int32_t>(values[2]));
  json.close('}');
}

void sequence_adjustments(JsonWriter& json, const FlowView& flow) {
  u32 orig[3];
  u32 reply[3];
  const bool has_orig = flow.find_value(TailType::kOrigSeqAdjust, orig);
  const bool has_reply = flow.find_value(TailType::kReplySeqAdjust, reply);
  if (!has_orig && !has_reply) return;
  json.object("\"seqAdjust\":");
  if (has_orig) adjustment(json, "\"orig\":", orig);
  if (has_reply) adjustment(json, "\"reply\":", reply);
  json.close('}');
}

void synproxy(JsonWriter& json, const FlowView& flow) {
  u32 values[3];
  if (!flow.find_value(TailType::kSynproxy, values)) return;
  json.object("\"synproxy\":");
  json.number("\"isn\":", values[0]);
  json.number("\"its\":", values[1]);
  json.number("\"tsoff\":", values[2]);
  json.close('}');
}

void helper(JsonWriter& json, const FlowView& flow) {
  Bytes bytes;
  if (flow.find(TailType::kHelper, bytes)) json.text("\"helper\":", bytes);
  if (!flow.find(TailType::kHelperInfo, bytes)) return;
  json.member("\"helperInfo\":\"");
  json.out().hex_bytes(bytes);
  json.out().character('"');
}

void numbers(JsonWriter& json, const FlowView& flow) {
  const FlowRecord& record = flow.record;
  Bytes secctx;
  json.number("\"zone\":", record.zone);
  json.number("\"id\":", record.id);
  json.number("\"status\":", record.status);
  flags(json, "\"statusFlags\":", kStatusFlags, record.status);
  if (flow.has(FlowRecord::kHasTimeout)) json.number("\"timeout\":", record.timeout);
  if (flow.has(FlowRecord::kHasMark)) json.number("\"mark\":", record.mark);
  if (flow.has(FlowRecord::kHasSecmark)) json.number("\"secmark\":", record.secmark);
  if (flow.find(TailType::kSecctx, secctx)) json.text("\"secctx\":", secctx);
  if (flow.has(FlowRecord::kHasUse)) json.number("\"use\":", record.use);
}

void flow_object(JsonWriter& json, const FlowView& flow) {
  const FlowRecord& record = flow.record;
  Bytes bits;
  TupleRecord master;
  json.open('{');
  family(json, record.family);
  protocol(json, record.orig.protonum);
  json.number("\"protonum\":", record.orig.protonum);
  state(json, flow);
  orig(json, flow);
  reply(json, flow);
  numbers(json, flow);
  if (flow.find(TailType::kLabels, bits)) labels(json, bits);
  helper(json, flow);
  if (flow.find_value(TailType::kMaster, master)) tuple_object(json, "\"master\":", master);
  timestamps(json, flow);
  protoinfo(json, flow);
  sequence_adjustments(json, flow);
  synproxy(json, flow);
  json.close('}');
}

void master_object(JsonWriter& json, const TupleRecord& master) {
  const bool known = (master.presence & TupleRecord::kHasProtonum) != 0;
  json.object("\"master\":");
  protocol(json, known ? master.protonum : u8{0});
  tuple(json, master);
  json.close('}');
}

void nat(JsonWriter& json, const ExpectationView& expectation) {
  constexpr u32 kReply = 1;  // IP_CT_DIR_REPLY
  if (!expectation.has(ExpectationRecord::kHasNat)) return;
  json.object("\"nat\":");
  json.word("\"dir\":", expectation.record.natDir == kReply ? "reply" : "orig");
  tuple_object(json, "\"tuple\":", expectation.record.nat);
  json.close('}');
}

void expectation_object(JsonWriter& json, const ExpectationView& expectation) {
  const ExpectationRecord& record = expectation.record;
  Bytes name;
  json.open('{');
  family(json, record.family);
  protocol(json, record.tuple.protonum);
  json.number("\"protonum\":", record.tuple.protonum);
  tuple_object(json, "\"tuple\":", record.tuple);
  tuple_object(json, "\"mask\":", record.mask);
  master_object(json, record.master);
  if (expectation.has(ExpectationRecord::kHasZone)) json.number("\"zone\":", record.zone);
  json.number("\"id\":", record.id);
  if (expectation.has(ExpectationRecord::kHasTimeout)) json.number("\"timeout\":", record.timeout);
  json.number("\"flags\":", record.flags);
  flags(json, "\"flagNames\":", kExpectationFlags, record.flags);
  json.number("\"class\":", record.class_);
  if (expectation.find(TailType::kHelper, name)) json.text("\"helper\":", name);
  if (expectation.find(TailType::kExpectFn, name)) json.text("\"fn\":", name);
  nat(json, expectation);
  json.close('}');
}

std::string_view type_of(u8 kind) {
  switch (kind) {
    case Kind::kNew:
    case Kind::kExpectationNew:
      return "new";
    case Kind::kUpdate:
      return "update";
    default:
      return "destroy";
  }
}

void subject(JsonWriter& json, const FlowView& flow) {
  json.member("\"flow\":");
  flow_object(json, flow);
}

void subject(JsonWriter& json, const ExpectationView& expectation) {
  json.member("\"expectation\":");
  expectation_object(json, expectation);
}

template <typename Record>
void event_object(JsonWriter& json, const RecordView<Record>& event) {
  json.open('{');
  json.word("\"type\":", type_of(event.record.kind));
  subject(json, event);
  json.milliseconds("\"time\":", time_of(event.record));
  if (event.record.portid != 0) json.number("\"portid\":", event.record.portid);
  json.close('}');
}

}  // namespace

void format_json(FormatBuffer& out, const FlowView& flow) {
  JsonWriter json(out);
  flow_object(json, flow);
}

void format_json(FormatBuffer& out, const ExpectationView& expectation) {
  JsonWriter json(out);
  expectation_object(json, expectation);
}

void format_json_event(FormatBuffer& out, const FlowView& flow) {
  JsonWriter json(out);
  event_object(json, flow);
}

void format_json_event(FormatBuffer& out, const ExpectationView& expectation) {
  JsonWriter json(out);
  event_object(json, expectation);
}

void format_json(FormatBuffer& out, const GapRecord& gap) {
  JsonWriter json(out);
  std::string_view first = "overrun";
  for (const FlagName& reason : kGapReasons) {
    if ((gap.reasons & reason.bit) == 0) continue;
    first = reason.name;
    break;
  }
  json.open('{');
  json.word("\"type\":", "gap");
  json.word("\"reason\":", first);
  flags(json, "\"reasons\":", kGapReasons, gap.reasons);
  json.wide("\"kernelDrops\":", gap.kernelDrops);
  json.wide("\"queueDrops\":", gap.queueDrops);
  json.wide("\"malformed\":", gap.malformed);
  json.milliseconds("\"since\":", gap.since);
  json.milliseconds("\"until\":", gap.until);
  json.close('}');
}

}  // namespace nfconntrack
