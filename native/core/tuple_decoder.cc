#include "tuple_decoder.h"

#include <sys/socket.h>

#include "ctnetlink.h"
#include "presence.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

constexpr std::size_t kIpv4Size = 4;
constexpr std::size_t kIpv6Size = 16;

void take_address(const Attribute& attribute, std::size_t size, u8 (&address)[16], u32 flag,
                  TupleRecord& tuple) {
  if (!attribute.has(size)) return;
  std::memcpy(address, attribute.payload.data(), size);
  tuple.presence |= flag;
}

void decode_ip(Bytes nest, TupleRecord& tuple) {
  const bool ipv4 = tuple.family == AF_INET;
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kIpV4Src:
        if (ipv4) take_address(attribute, kIpv4Size, tuple.src, TupleRecord::kHasSrc, tuple);
        break;
      case kIpV4Dst:
        if (ipv4) take_address(attribute, kIpv4Size, tuple.dst, TupleRecord::kHasDst, tuple);
        break;
      case kIpV6Src:
        if (!ipv4) take_address(attribute, kIpv6Size, tuple.src, TupleRecord::kHasSrc, tuple);
        break;
      case kIpV6Dst:
        if (!ipv4) take_address(attribute, kIpv6Size, tuple.dst, TupleRecord::kHasDst, tuple);
        break;
      default:
        break;
    }
  }
}

void decode_proto(Bytes nest, TupleRecord& tuple) {
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kProtoNum:
        take_u8(attribute, tuple.protonum, TupleRecord::kHasProtonum, tuple);
        break;
      case kProtoSrcPort:
        take_be16(attribute, tuple.sport, TupleRecord::kHasSport, tuple);
        break;
      case kProtoDstPort:
        take_be16(attribute, tuple.dport, TupleRecord::kHasDport, tuple);
        break;
      case kProtoIcmpId:
      case kProtoIcmpv6Id:
        take_be16(attribute, tuple.icmpId, TupleRecord::kHasIcmpId, tuple);
        break;
      case kProtoIcmpType:
      case kProtoIcmpv6Type:
        take_u8(attribute, tuple.icmpType, TupleRecord::kHasIcmpType, tuple);
        break;
      case kProtoIcmpCode:
      case kProtoIcmpv6Code:
        take_u8(attribute, tuple.icmpCode, TupleRecord::kHasIcmpCode, tuple);
        break;
      default:
        break;
    }
  }
}

}  // namespace

void decode_tuple(Bytes nest, u8 family, TupleRecord& tuple) {
  tuple.family = family;
  AttributeReader reader(nest);
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    switch (attribute.type) {
      case kTupleIp:
        decode_ip(attribute.payload, tuple);
        break;
      case kTupleProto:
        decode_proto(attribute.payload, tuple);
        break;
      case kTupleZone:
        take_be16(attribute, tuple.zone, TupleRecord::kHasZone, tuple);
        break;
      default:
        break;
    }
  }
}

}  // namespace nfconntrack
