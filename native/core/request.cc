#include "request.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "ctnetlink.h"

namespace nfconntrack {

using namespace ctnetlink;

Request::Request(u16 type, u16 flags, u32 sequence, u8 family)
    : buffer_(kCapacity), header_(mnl_nlmsg_put_header(buffer_.data())) {
  header_->nlmsg_type = type;
  header_->nlmsg_flags = NLM_F_REQUEST | flags;
  header_->nlmsg_seq = sequence;
  auto* generic = static_cast<Header*>(mnl_nlmsg_put_extra_header(header_, sizeof(Header)));
  generic->family = family;
}

void Request::put_u8(u16 type, u8 value) { put_bytes(type, Bytes(&value, sizeof value)); }

void Request::put_be16(u16 type, u16 value) {
  const u16 wire = htobe16(value);
  put_bytes(type, Bytes(reinterpret_cast<const u8*>(&wire), sizeof wire));
}

void Request::put_be32(u16 type, u32 value) {
  const u32 wire = htobe32(value);
  put_bytes(type, Bytes(reinterpret_cast<const u8*>(&wire), sizeof wire));
}

void Request::put_be64(u16 type, u64 value) {
  const u64 wire = htobe64(value);
  put_bytes(type, Bytes(reinterpret_cast<const u8*>(&wire), sizeof wire));
}

void Request::put_text(u16 type, Bytes text) {
  std::vector<u8> terminated(text.begin(), text.end());
  terminated.push_back(0);
  put_bytes(type, terminated);
}

void Request::put_bytes(u16 type, Bytes value) {
  overflow_ |= !mnl_attr_put_check(header_, kCapacity, type, value.size(), value.data());
}

nlattr* Request::open_nest(u16 type) {
  nlattr* nest = mnl_attr_nest_start_check(header_, kCapacity, type);
  overflow_ |= nest == nullptr;
  return nest;
}

void Request::close_nest(nlattr* nest) {
  if (nest != nullptr) mnl_attr_nest_end(header_, nest);
}

void Request::put_address(u16 ipv4_type, u16 ipv6_type, const u8 (&address)[16], u8 family) {
  const bool ipv4 = family == AF_INET;
  put_bytes(ipv4 ? ipv4_type : ipv6_type, Bytes(address, ipv4 ? 4 : 16));
}

void Request::put_proto(const TupleRecord& tuple) {
  const bool icmpv6 = tuple.protonum == IPPROTO_ICMPV6;
  if (tuple.presence & TupleRecord::kHasProtonum) put_u8(kProtoNum, tuple.protonum);
  if (tuple.presence & TupleRecord::kHasSport) put_be16(kProtoSrcPort, tuple.sport);
  if (tuple.presence & TupleRecord::kHasDport) put_be16(kProtoDstPort, tuple.dport);
  if (tuple.presence & TupleRecord::kHasIcmpId) {
    put_be16(icmpv6 ? kProtoIcmpv6Id : kProtoIcmpId, tuple.icmpId);
  }
  if (tuple.presence & TupleRecord::kHasIcmpType) {
    put_u8(icmpv6 ? kProtoIcmpv6Type : kProtoIcmpType, tuple.icmpType);
  }
  if (tuple.presence & TupleRecord::kHasIcmpCode) {
    put_u8(icmpv6 ? kProtoIcmpv6Code : kProtoIcmpCode, tuple.icmpCode);
  }
}

void Request::put_tuple(u16 type, const TupleRecord& tuple) {
  nlattr* outer = open_nest(type);
  nlattr* ip = open_nest(kTupleIp);
  if (tuple.presence & TupleRecord::kHasSrc)
    put_address(kIpV4Src, kIpV6Src, tuple.src, tuple.family);
  if (tuple.presence & TupleRecord::kHasDst)
    put_address(kIpV4Dst, kIpV6Dst, tuple.dst, tuple.family);
  close_nest(ip);
  nlattr* proto = open_nest(kTupleProto);
  put_proto(tuple);
  close_nest(proto);
  if (tuple.presence & TupleRecord::kHasZone) put_be16(kTupleZone, tuple.zone);
  close_nest(outer);
}

Bytes Request::bytes() const {
  if (overflow_) return {};
  return {buffer_.data(), header_->nlmsg_len};
}

}  // namespace nfconntrack
