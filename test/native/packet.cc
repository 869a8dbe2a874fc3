#include "packet.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "descriptor.h"
#include "options.h"
#include "socket_address.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

using Octets = std::span<const std::uint8_t>;

constexpr std::uint32_t kDefaultTtl = 64;

struct Packet {
  SocketAddress dst;
  std::optional<SocketAddress> src;
  std::optional<std::uint32_t> ttl;
  std::uint8_t protonum;
  Octets payload;
};

// The parts of sending that differ between the families.
struct HeaderOptions {
  int level;
  int ttl;
  int own_header;
};
constexpr HeaderOptions kIpv4{IPPROTO_IP, IP_TTL, IP_HDRINCL};
constexpr HeaderOptions kIpv6{IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_HDRINCL};

void set_int(int socket, int level, int option, int value) {
  checked(::setsockopt(socket, level, option, &value, sizeof value), "setsockopt");
}

void send_octets(int socket, const SocketAddress& address, Octets octets) {
  checked(::sendto(socket, octets.data(), octets.size(), 0, address.data(), address.size()),
          "sendto");
}

template <typename Header>
std::vector<std::uint8_t> joined(const Header& header, Octets payload) {
  std::vector<std::uint8_t> octets(sizeof header + payload.size());
  std::memcpy(octets.data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(octets.data() + sizeof header, payload.data(), payload.size());
  return octets;
}

// The kernel fills in the length, the identification and the checksum.
std::vector<std::uint8_t> with_ipv4_header(const Packet& packet) {
  ip header{};
  header.ip_v = 4;
  header.ip_hl = sizeof header / 4;
  header.ip_ttl = static_cast<std::uint8_t>(packet.ttl.value_or(kDefaultTtl));
  header.ip_p = packet.protonum;
  header.ip_src = packet.src->v4();
  header.ip_dst = packet.dst.v4();
  return joined(header, packet.payload);
}

std::vector<std::uint8_t> with_ipv6_header(const Packet& packet) {
  ip6_hdr header{};
  header.ip6_vfc = 6 << 4;
  header.ip6_plen = htons(static_cast<std::uint16_t>(packet.payload.size()));
  header.ip6_nxt = packet.protonum;
  header.ip6_hlim = static_cast<std::uint8_t>(packet.ttl.value_or(kDefaultTtl));
  header.ip6_src = packet.src->v6();
  header.ip6_dst = packet.dst.v6();
  return joined(header, packet.payload);
}

void send_packet(const Packet& packet) {
  const bool ipv4 = packet.dst.family() == AF_INET;
  const HeaderOptions& header = ipv4 ? kIpv4 : kIpv6;
  const Descriptor socket(
      checked(::socket(packet.dst.family(), SOCK_RAW | SOCK_CLOEXEC, packet.protonum), "socket"));
  // bind() would take local addresses only; a header of our own may name any source.
  if (packet.src) {
    set_int(socket.get(), header.level, header.own_header, 1);
    send_octets(socket.get(), packet.dst,
                ipv4 ? with_ipv4_header(packet) : with_ipv6_header(packet));
    return;
  }
  if (packet.ttl) set_int(socket.get(), header.level, header.ttl, static_cast<int>(*packet.ttl));
  send_octets(socket.get(), packet.dst, packet.payload);
}

std::optional<SocketAddress> source_of(const Napi::Object& options) {
  const auto text = optional_text(options, "src");
  if (!text) return std::nullopt;
  return SocketAddress(*text, 0);
}

void require_family(int family, const SocketAddress& address) {
  if (address.family() != family) throw SystemError(EAFNOSUPPORT, "address of the other family");
}

}  // namespace

Napi::Value raw_send(const Napi::CallbackInfo& info) {
  const int family = address_family(info[0]);
  const Napi::Object options = options_at(info, 4);
  const auto payload = info[3].As<Napi::Uint8Array>();
  const Packet packet{
      .dst = SocketAddress(info[2].As<Napi::String>().Utf8Value(), 0),
      .src = source_of(options),
      .ttl = optional_u32(options, "ttl"),
      .protonum = static_cast<std::uint8_t>(info[1].As<Napi::Number>().Uint32Value()),
      .payload = {payload.Data(), payload.ByteLength()},
  };
  require_family(family, packet.dst);
  if (packet.src) require_family(family, *packet.src);
  send_packet(packet);
  return info.Env().Undefined();
}

}  // namespace nfconntrack::testing
