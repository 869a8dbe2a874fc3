#include "netlink_socket.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <algorithm>
#include <climits>
#include <vector>

namespace nfconntrack {
namespace {

constexpr int kSoMeminfo = 55;  // SO_MEMINFO, which glibc's headers may lack
constexpr int kMeminfoReceiveAllocated = 0;
constexpr int kMeminfoReceiveBuffer = 1;
constexpr int kMeminfoDrops = 8;
constexpr int kMeminfoCount = 9;

void enable(int fd, int option) {
  // Missing on old kernels, where errors then come without a text.
  const int on = 1;
  setsockopt(fd, SOL_NETLINK, option, &on, sizeof on);
}

}  // namespace

Failure NetlinkSocket::open() {
  fd_ = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd_.valid()) return Failure::last("socket");
  enable(fd_.get(), NETLINK_EXT_ACK);
  enable(fd_.get(), NETLINK_CAP_ACK);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd_.get(), generic, sizeof address) != 0) return Failure::last("bind");
  socklen_t length = sizeof address;
  if (getsockname(fd_.get(), generic, &length) != 0) return Failure::last("getsockname");
  portid_ = address.nl_pid;
  return {};
}

Failure NetlinkSocket::join(int group) const {
  if (setsockopt(fd_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
    return Failure::last("setsockopt(NETLINK_ADD_MEMBERSHIP)");
  }
  return {};
}

u32 NetlinkSocket::set_receive_buffer(u32 bytes) const {
  const int half = static_cast<int>(std::min<u32>(bytes, INT_MAX) / 2);
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof half) != 0) {
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &half, sizeof half);
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  getsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &granted, &length);
  return static_cast<u32>(granted);
}

Failure NetlinkSocket::attach_filter(Bytes program) const {
  std::vector<sock_filter> instructions(program.size() / sizeof(sock_filter));
  if (instructions.empty() || instructions.size() > BPF_MAXINSNS) {
    return Failure::of(EINVAL, "setsockopt(SO_ATTACH_FILTER)");
  }
  std::memcpy(instructions.data(), program.data(), instructions.size() * sizeof(sock_filter));
  const sock_fprog filter{static_cast<unsigned short>(instructions.size()), instructions.data()};
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) {
    return Failure::last("setsockopt(SO_ATTACH_FILTER)");
  }
  return {};
}

Failure NetlinkSocket::set_reliable(bool reliable) const {
  const int on = reliable ? 1 : 0;
  for (const int option : {NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS}) {
    if (setsockopt(fd_.get(), SOL_NETLINK, option, &on, sizeof on) != 0) {
      return Failure::last("setsockopt(NETLINK_BROADCAST_ERROR)");
    }
  }
  return {};
}

Failure NetlinkSocket::send(Bytes message) const {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = 0;
  do {
    sent = sendto(fd_.get(), message.data(), message.size(), 0,
                  reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? Failure::last("sendto") : Failure{};
}

ssize_t NetlinkSocket::receive(std::span<u8> buffer, int flags) const {
  sockaddr_nl sender{};
  socklen_t length = sizeof sender;
  ssize_t received = 0;
  do {
    received = recvfrom(fd_.get(), buffer.data(), buffer.size(), flags | MSG_TRUNC,
                        reinterpret_cast<sockaddr*>(&sender), &length);
  } while (received < 0 && errno == EINTR);
  // Any process may send to a netlink socket; only port 0 is the kernel.
  if (received >= 0 && (length < sizeof sender || sender.nl_pid != 0)) {
    errno = EBADMSG;
    return -1;
  }
  return received;
}

bool NetlinkSocket::is_congested() const {
  nlmsghdr marker{};
  marker.nlmsg_len = sizeof marker;
  marker.nlmsg_type = NLMSG_NOOP;
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_pid = portid_;
  const ssize_t sent = sendto(fd_.get(), &marker, sizeof marker, MSG_DONTWAIT,
                              reinterpret_cast<sockaddr*>(&self), sizeof self);
  return sent < 0 && errno == EAGAIN;
}

SocketMemory NetlinkSocket::memory() const {
  u32 values[kMeminfoCount] = {};
  socklen_t length = sizeof values;
  getsockopt(fd_.get(), SOL_SOCKET, kSoMeminfo, values, &length);
  return {values[kMeminfoReceiveAllocated], values[kMeminfoReceiveBuffer], values[kMeminfoDrops]};
}

}  // namespace nfconntrack
