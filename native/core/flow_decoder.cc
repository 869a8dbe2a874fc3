#include "flow_decoder.h"

#include "ctnetlink.h"
#include "presence.h"
#include "tuple_decoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

// struct nf_ct_tcp_flags { __u8 flags, mask; }
void take_tcp_flags(const Attribute& attribute, u8& flags, u8& mask, u32 flag, FlowRecord& record) {
  if (!attribute.has(2)) return;
  flags = attribute.payload[0];
  mask = attribute.payload[1];
  record.presence |= flag;
}

void decode_tcp(Bytes nest, FlowRecord& record) {
  record.protoinfo = Protoinfo::kTcp;
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kTcpState:
        take_u8(attribute, record.state, FlowRecord::kHasState, record);
        break;
      case kTcpWscaleOrig:
        take_u8(attribute, record.origWindowScale, FlowRecord::kHasOrigWindowScale, record);
        break;
      case kTcpWscaleReply:
        take_u8(attribute, record.replyWindowScale, FlowRecord::kHasReplyWindowScale, record);
        break;
      case kTcpFlagsOrig:
        take_tcp_flags(attribute, record.origTcpFlags, record.origTcpFlagsMask,
                       FlowRecord::kHasOrigTcpFlags, record);
        break;
      case kTcpFlagsReply:
        take_tcp_flags(attribute, record.replyTcpFlags, record.replyTcpFlagsMask,
                       FlowRecord::kHasReplyTcpFlags, record);
        break;
      default:
        break;
    }
  }
}

void decode_dccp(Bytes nest, FlowRecord& record, Tail& tail) {
  record.protoinfo = Protoinfo::kDccp;
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kDccpState:
        take_u8(attribute, record.state, FlowRecord::kHasState, record);
        break;
      case kDccpRole:
        take_u8(attribute, record.dccpRole, FlowRecord::kHasDccpRole, record);
        break;
      case kDccpHandshakeSeq:
        if (attribute.has(8)) tail.add_value(TailType::kDccpHandshakeSeq, attribute.be64());
        break;
      default:
        break;
    }
  }
}

void decode_sctp(Bytes nest, FlowRecord& record) {
  record.protoinfo = Protoinfo::kSctp;
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kSctpState:
        take_u8(attribute, record.state, FlowRecord::kHasState, record);
        break;
      case kSctpVtagOrig:
        take_be32(attribute, record.origVtag, FlowRecord::kHasOrigVtag, record);
        break;
      case kSctpVtagReply:
        take_be32(attribute, record.replyVtag, FlowRecord::kHasReplyVtag, record);
        break;
      default:
        break;
    }
  }
}

void decode_protoinfo(Bytes nest, FlowRecord& record, Tail& tail) {
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kProtoinfoTcp:
        decode_tcp(attribute.payload, record);
        break;
      case kProtoinfoDccp:
        decode_dccp(attribute.payload, record, tail);
        break;
      case kProtoinfoSctp:
        decode_sctp(attribute.payload, record);
        break;
      default:
        break;
    }
  }
}

struct Counters {
  u64& packets;
  u64& bytes;
  u32 packets_flag;
  u32 bytes_flag;
};

void decode_counters(Bytes nest, Counters counters, FlowRecord& record) {
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kCounterPackets:
        take_be64(attribute, counters.packets, counters.packets_flag, record);
        break;
      case kCounterBytes:
        take_be64(attribute, counters.bytes, counters.bytes_flag, record);
        break;
      case kCounter32Packets:
        if (!attribute.has(4)) break;
        counters.packets = attribute.be32();
        record.presence |= counters.packets_flag;
        break;
      case kCounter32Bytes:
        if (!attribute.has(4)) break;
        counters.bytes = attribute.be32();
        record.presence |= counters.bytes_flag;
        break;
      default:
        break;
    }
  }
}

void decode_timestamp(Bytes nest, FlowRecord& record) {
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kTimestampStart:
        take_be64(attribute, record.timestampStart, FlowRecord::kHasTimestampStart, record);
        break;
      case kTimestampStop:
        take_be64(attribute, record.timestampStop, FlowRecord::kHasTimestampStop, record);
        break;
      default:
        break;
    }
  }
}

void decode_help(Bytes nest, Tail& tail) {
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kHelpName:
        tail.add(TailType::kHelper, attribute.text());
        break;
      case kHelpInfo:
        tail.add(TailType::kHelperInfo, attribute.payload);
        break;
      default:
        break;
    }
  }
}

void decode_secctx(Bytes nest, Tail& tail) {
  AttributeReader reader(nest);
  while (reader.next()) {
    if (reader.attribute().type == kSecctxName) {
      tail.add(TailType::kSecctx, reader.attribute().text());
    }
  }
}

// Nests of three be32 values numbered from 1: CTA_SEQADJ_* and CTA_SYNPROXY_*. The kernel sends all
// three, which mean something only together.
void decode_triple(u8 type, Bytes nest, Tail& tail) {
  constexpr u32 kCount = 3;
  u32 values[kCount] = {};
  u32 seen = 0;
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    if (attribute.type < 1 || attribute.type > kCount || !attribute.has(4)) continue;
    values[attribute.type - 1] = attribute.be32();
    seen |= 1U << (attribute.type - 1);
  }
  if (seen == (1U << kCount) - 1) tail.add_value(type, values);
}

void decode_master(Bytes nest, u8 family, Tail& tail) {
  TupleRecord master{};
  decode_tuple(nest, family, master);
  if (master.presence != 0) tail.add_value(TailType::kMaster, master);
}

void decode_attribute(const Attribute& attribute, FlowRecord& record, Tail& tail) {
  switch (attribute.type) {
    case kTupleOrig:
      decode_tuple(attribute.payload, record.family, record.orig);
      record.presence |= FlowRecord::kHasOrig;
      break;
    case kTupleReply:
      decode_tuple(attribute.payload, record.family, record.reply);
      record.presence |= FlowRecord::kHasReply;
      break;
    case kStatus:
      take_be32(attribute, record.status, FlowRecord::kHasStatus, record);
      break;
    case kProtoinfo:
      decode_protoinfo(attribute.payload, record, tail);
      break;
    case kHelp:
      decode_help(attribute.payload, tail);
      break;
    case kTimeout:
      take_be32(attribute, record.timeout, FlowRecord::kHasTimeout, record);
      break;
    case kMark:
      take_be32(attribute, record.mark, FlowRecord::kHasMark, record);
      break;
    case kCountersOrig:
      decode_counters(attribute.payload,
                      {record.origPackets, record.origBytes, FlowRecord::kHasOrigPackets,
                       FlowRecord::kHasOrigBytes},
                      record);
      break;
    case kCountersReply:
      decode_counters(attribute.payload,
                      {record.replyPackets, record.replyBytes, FlowRecord::kHasReplyPackets,
                       FlowRecord::kHasReplyBytes},
                      record);
      break;
    case kUse:
      take_be32(attribute, record.use, FlowRecord::kHasUse, record);
      break;
    case kId:
      take_be32(attribute, record.id, FlowRecord::kHasId, record);
      break;
    case kTupleMaster:
      decode_master(attribute.payload, record.family, tail);
      break;
    case kSeqAdjOrig:
      decode_triple(TailType::kOrigSeqAdjust, attribute.payload, tail);
      break;
    case kSeqAdjReply:
      decode_triple(TailType::kReplySeqAdjust, attribute.payload, tail);
      break;
    case kSecmark:
      take_be32(attribute, record.secmark, FlowRecord::kHasSecmark, record);
      break;
    case kZone:
      take_be16(attribute, record.zone, FlowRecord::kHasZone, record);
      break;
    case kSecctx:
      decode_secctx(attribute.payload, tail);
      break;
    case kTimestamp:
      decode_timestamp(attribute.payload, record);
      break;
    case kLabels:
      tail.add(TailType::kLabels, attribute.payload);
      break;
    case kLabelsMask:
      tail.add(TailType::kLabelsMask, attribute.payload);
      break;
    case kSynproxy:
      decode_triple(TailType::kSynproxy, attribute.payload, tail);
      break;
    case kTimestampEvent:
      take_be64(attribute, record.timestampEvent, FlowRecord::kHasTimestampEvent, record);
      break;
    default:
      // Attributes of requests (CTA_NAT_*, CTA_FILTER, masks), which the kernel never sends, and
      // those of kernels to come.
      break;
  }
}

}  // namespace

bool decode_flow(Bytes payload, FlowRecord& record, Tail& tail) {
  if (payload.size() < sizeof(Header)) return false;
  record.family = payload[0];
  record.tailOffset = tail.size();
  AttributeReader reader(payload.subspan(sizeof(Header)));
  while (reader.next()) decode_attribute(reader.attribute(), record, tail);
  record.tailLength = tail.size() - record.tailOffset;
  return reader.complete();
}

}  // namespace nfconntrack
