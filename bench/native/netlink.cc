#include "netlink.h"

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace bench {

void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void Requests::begin(int command, std::uint16_t flags, std::uint32_t sequence,
                     std::uint8_t family) {
  last_ = bytes_.size();
  bytes_.resize(last_ + NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg)));
  nlmsghdr header{};
  header.nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | command);
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = sequence;
  std::memcpy(bytes_.data() + last_, &header, sizeof header);
  const nfgenmsg general{family, NFNETLINK_V0, 0};
  std::memcpy(bytes_.data() + last_ + NLMSG_HDRLEN, &general, sizeof general);
}

void Requests::end() {
  const auto length = static_cast<std::uint32_t>(bytes_.size() - last_);
  std::memcpy(bytes_.data() + last_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

std::size_t Requests::open(std::uint16_t type) {
  const std::size_t nest = bytes_.size();
  put(type | NLA_F_NESTED, nullptr, 0);
  return nest;
}

void Requests::close(std::size_t nest) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - nest);
  std::memcpy(bytes_.data() + nest, &length, sizeof length);
}

void Requests::put(std::uint16_t type, const void* data, std::size_t size) {
  const nlattr attribute{static_cast<std::uint16_t>(NLA_HDRLEN + size), type};
  const std::size_t at = bytes_.size();
  bytes_.resize(at + NLA_HDRLEN + NLA_ALIGN(size));
  std::memcpy(bytes_.data() + at, &attribute, sizeof attribute);
  if (size > 0) std::memcpy(bytes_.data() + at + NLA_HDRLEN, data, size);
}

void Requests::put16(std::uint16_t type, std::uint16_t host_order) {
  const std::uint16_t value = htons(host_order);
  put(type, &value, sizeof value);
}

void Requests::put32(std::uint16_t type, std::uint32_t host_order) {
  const std::uint32_t value = htonl(host_order);
  put(type, &value, sizeof value);
}

void Requests::add_flag_to_last(std::uint16_t flag) {
  nlmsghdr header;
  std::memcpy(&header, bytes_.data() + last_, sizeof header);
  header.nlmsg_flags |= flag;
  std::memcpy(bytes_.data() + last_, &header, sizeof header);
}

Socket::Socket(std::uint32_t groups)
    : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)) {
  if (fd_ < 0) die("socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) die("bind");
}

Socket::~Socket() { ::close(fd_); }

void Socket::enlarge(int bytes) {
  const int half = bytes / 2;
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof half) == 0) return;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &half, sizeof half);
}

void Socket::send(const Requests& requests) {
  const auto& bytes = requests.bytes();
  if (::send(fd_, bytes.data(), bytes.size(), 0) < 0) die("send");
}

ssize_t Socket::receive(std::vector<std::uint8_t>& buffer, int flags) {
  return recv(fd_, buffer.data(), buffer.size(), flags);
}

std::uint32_t Socket::drops() const {
  std::uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof memory;
  if (getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0) die("SO_MEMINFO");
  return memory[SK_MEMINFO_DROPS];
}

}  // namespace bench
