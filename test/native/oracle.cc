#include "oracle.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include <cerrno>
#include <span>

#include "oracle_guard.h"
#include "oracle_message.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

enum class Shape { kU8, kU16, kNetworkU16, kU32, kU64, kIpv4, kIpv6, kText, kBits, kOpaque };

struct Entry {
  nf_conntrack_attr attribute;
  const char* name;
  Shape shape;
};

// Every attribute of libnetfilter_conntrack 1.0.9.
constexpr Entry kEntries[] = {
    {ATTR_ORIG_IPV4_SRC, "orig_ipv4_src", Shape::kIpv4},
    {ATTR_ORIG_IPV4_DST, "orig_ipv4_dst", Shape::kIpv4},
    {ATTR_REPL_IPV4_SRC, "repl_ipv4_src", Shape::kIpv4},
    {ATTR_REPL_IPV4_DST, "repl_ipv4_dst", Shape::kIpv4},
    {ATTR_ORIG_IPV6_SRC, "orig_ipv6_src", Shape::kIpv6},
    {ATTR_ORIG_IPV6_DST, "orig_ipv6_dst", Shape::kIpv6},
    {ATTR_REPL_IPV6_SRC, "repl_ipv6_src", Shape::kIpv6},
    {ATTR_REPL_IPV6_DST, "repl_ipv6_dst", Shape::kIpv6},
    {ATTR_ORIG_PORT_SRC, "orig_port_src", Shape::kNetworkU16},
    {ATTR_ORIG_PORT_DST, "orig_port_dst", Shape::kNetworkU16},
    {ATTR_REPL_PORT_SRC, "repl_port_src", Shape::kNetworkU16},
    {ATTR_REPL_PORT_DST, "repl_port_dst", Shape::kNetworkU16},
    {ATTR_ICMP_TYPE, "icmp_type", Shape::kU8},
    {ATTR_ICMP_CODE, "icmp_code", Shape::kU8},
    {ATTR_ICMP_ID, "icmp_id", Shape::kNetworkU16},
    {ATTR_ORIG_L3PROTO, "orig_l3proto", Shape::kU8},
    {ATTR_REPL_L3PROTO, "repl_l3proto", Shape::kU8},
    {ATTR_ORIG_L4PROTO, "orig_l4proto", Shape::kU8},
    {ATTR_REPL_L4PROTO, "repl_l4proto", Shape::kU8},
    {ATTR_TCP_STATE, "tcp_state", Shape::kU8},
    {ATTR_SNAT_IPV4, "snat_ipv4", Shape::kIpv4},
    {ATTR_DNAT_IPV4, "dnat_ipv4", Shape::kIpv4},
    {ATTR_SNAT_PORT, "snat_port", Shape::kNetworkU16},
    {ATTR_DNAT_PORT, "dnat_port", Shape::kNetworkU16},
    {ATTR_TIMEOUT, "timeout", Shape::kU32},
    {ATTR_MARK, "mark", Shape::kU32},
    {ATTR_ORIG_COUNTER_PACKETS, "orig_counter_packets", Shape::kU64},
    {ATTR_REPL_COUNTER_PACKETS, "repl_counter_packets", Shape::kU64},
    {ATTR_ORIG_COUNTER_BYTES, "orig_counter_bytes", Shape::kU64},
    {ATTR_REPL_COUNTER_BYTES, "repl_counter_bytes", Shape::kU64},
    {ATTR_USE, "use", Shape::kU32},
    {ATTR_ID, "id", Shape::kU32},
    {ATTR_STATUS, "status", Shape::kU32},
    {ATTR_TCP_FLAGS_ORIG, "tcp_flags_orig", Shape::kU8},
    {ATTR_TCP_FLAGS_REPL, "tcp_flags_repl", Shape::kU8},
    {ATTR_TCP_MASK_ORIG, "tcp_mask_orig", Shape::kU8},
    {ATTR_TCP_MASK_REPL, "tcp_mask_repl", Shape::kU8},
    {ATTR_MASTER_IPV4_SRC, "master_ipv4_src", Shape::kIpv4},
    {ATTR_MASTER_IPV4_DST, "master_ipv4_dst", Shape::kIpv4},
    {ATTR_MASTER_IPV6_SRC, "master_ipv6_src", Shape::kIpv6},
    {ATTR_MASTER_IPV6_DST, "master_ipv6_dst", Shape::kIpv6},
    {ATTR_MASTER_PORT_SRC, "master_port_src", Shape::kNetworkU16},
    {ATTR_MASTER_PORT_DST, "master_port_dst", Shape::kNetworkU16},
    {ATTR_MASTER_L3PROTO, "master_l3proto", Shape::kU8},
    {ATTR_MASTER_L4PROTO, "master_l4proto", Shape::kU8},
    {ATTR_SECMARK, "secmark", Shape::kU32},
    {ATTR_ORIG_NAT_SEQ_CORRECTION_POS, "orig_nat_seq_correction_pos", Shape::kU32},
    {ATTR_ORIG_NAT_SEQ_OFFSET_BEFORE, "orig_nat_seq_offset_before", Shape::kU32},
    {ATTR_ORIG_NAT_SEQ_OFFSET_AFTER, "orig_nat_seq_offset_after", Shape::kU32},
    {ATTR_REPL_NAT_SEQ_CORRECTION_POS, "repl_nat_seq_correction_pos", Shape::kU32},
    {ATTR_REPL_NAT_SEQ_OFFSET_BEFORE, "repl_nat_seq_offset_before", Shape::kU32},
    {ATTR_REPL_NAT_SEQ_OFFSET_AFTER, "repl_nat_seq_offset_after", Shape::kU32},
    {ATTR_SCTP_STATE, "sctp_state", Shape::kU8},
    {ATTR_SCTP_VTAG_ORIG, "sctp_vtag_orig", Shape::kU32},
    {ATTR_SCTP_VTAG_REPL, "sctp_vtag_repl", Shape::kU32},
    {ATTR_HELPER_NAME, "helper_name", Shape::kText},
    {ATTR_DCCP_STATE, "dccp_state", Shape::kU8},
    {ATTR_DCCP_ROLE, "dccp_role", Shape::kU8},
    {ATTR_DCCP_HANDSHAKE_SEQ, "dccp_handshake_seq", Shape::kU64},
    {ATTR_TCP_WSCALE_ORIG, "tcp_wscale_orig", Shape::kU8},
    {ATTR_TCP_WSCALE_REPL, "tcp_wscale_repl", Shape::kU8},
    {ATTR_ZONE, "zone", Shape::kU16},
    {ATTR_SECCTX, "secctx", Shape::kText},
    {ATTR_TIMESTAMP_START, "timestamp_start", Shape::kU64},
    {ATTR_TIMESTAMP_STOP, "timestamp_stop", Shape::kU64},
    {ATTR_HELPER_INFO, "helper_info", Shape::kOpaque},
    {ATTR_CONNLABELS, "connlabels", Shape::kBits},
    {ATTR_CONNLABELS_MASK, "connlabels_mask", Shape::kBits},
    {ATTR_ORIG_ZONE, "orig_zone", Shape::kU16},
    {ATTR_REPL_ZONE, "repl_zone", Shape::kU16},
    {ATTR_SNAT_IPV6, "snat_ipv6", Shape::kIpv6},
    {ATTR_DNAT_IPV6, "dnat_ipv6", Shape::kIpv6},
    {ATTR_SYNPROXY_ISN, "synproxy_isn", Shape::kU32},
    {ATTR_SYNPROXY_ITS, "synproxy_its", Shape::kU32},
    {ATTR_SYNPROXY_TSOFF, "synproxy_tsoff", Shape::kU32},
};

Napi::Value copy_octets(Napi::Env env, const void* octets, std::size_t size) {
  return Napi::Buffer<std::uint8_t>::Copy(env, static_cast<const std::uint8_t*>(octets), size);
}

Napi::Value bit_numbers(Napi::Env env, const nfct_bitmask* mask) {
  Napi::Array bits = Napi::Array::New(env);
  for (std::uint32_t bit = 0; bit <= nfct_bitmask_maxbit(mask); ++bit) {
    if (nfct_bitmask_test_bit(mask, bit)) bits.Set(bits.Length(), Napi::Number::New(env, bit));
  }
  return bits;
}

Napi::Value value_of(Napi::Env env, const nf_conntrack* flow, const Entry& entry) {
  const nf_conntrack_attr attribute = entry.attribute;
  switch (entry.shape) {
    case Shape::kU8:
      return Napi::Number::New(env, nfct_get_attr_u8(flow, attribute));
    case Shape::kU16:
      return Napi::Number::New(env, nfct_get_attr_u16(flow, attribute));
    case Shape::kNetworkU16:
      return Napi::Number::New(env, ntohs(nfct_get_attr_u16(flow, attribute)));
    case Shape::kU32:
      return Napi::Number::New(env, nfct_get_attr_u32(flow, attribute));
    case Shape::kU64:
      return Napi::BigInt::New(env, nfct_get_attr_u64(flow, attribute));
    case Shape::kIpv4:
      return copy_octets(env, nfct_get_attr(flow, attribute), 4);
    case Shape::kIpv6:
      return copy_octets(env, nfct_get_attr(flow, attribute), 16);
    case Shape::kText:
      return Napi::String::New(env, static_cast<const char*>(nfct_get_attr(flow, attribute)));
    case Shape::kBits:
      return bit_numbers(env, static_cast<const nfct_bitmask*>(nfct_get_attr(flow, attribute)));
    case Shape::kOpaque:
      // The library gives a pointer and no way to learn the length.
      return Napi::Boolean::New(env, true);
  }
  return env.Undefined();
}

}  // namespace

Napi::Value oracle_peek(const Napi::CallbackInfo& info) {
  const nlmsghdr* message = message_at(info[0]);
  const FlowPointer flow(nfct_new(), nfct_destroy);
  Napi::Object peek = Napi::Object::New(info.Env());
  switch (guarded_parse(message, flow.get())) {
    case Parsed::kAbiBreakage:
      peek.Set("abi", Napi::Boolean::New(info.Env(), true));
      return peek;
    case Parsed::kRejected:
      throw SystemError(EBADMSG, "nfct_nlmsg_parse");
    case Parsed::kComplete:
      break;
  }
  for (const Entry& entry : kEntries) {
    if (nfct_attr_is_set(flow.get(), entry.attribute) <= 0) continue;
    peek.Set(entry.name, value_of(info.Env(), flow.get(), entry));
  }
  return peek;
}

}  // namespace nfconntrack::testing
