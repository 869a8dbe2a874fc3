#include "ctnetlink_socket.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "system_error.h"

namespace nfconntrack::testing {
namespace {

// The kernel fills at most 32 KiB of a dump into one datagram.
constexpr std::size_t kBufferSize = 1 << 16;

void set_option(int fd, int option, int value, const char* call) {
  checked(::setsockopt(fd, SOL_NETLINK, option, &value, sizeof value), call);
}

int collect_extack(const nlattr* attribute, void* data) {
  auto& verdict = *static_cast<Verdict*>(data);
  const std::uint16_t type = mnl_attr_get_type(attribute);
  if (type == NLMSGERR_ATTR_MSG && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0) {
    verdict.extack = mnl_attr_get_str(attribute);
  }
  if (type == NLMSGERR_ATTR_OFFS && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0) {
    verdict.offset = mnl_attr_get_u32(attribute);
  }
  return MNL_CB_OK;
}

// Where the ext-ack's attributes begin: behind the errno, and with NLMSG_ERROR behind the header of
// the request too. NETLINK_CAP_ACK keeps the request's payload out.
std::size_t extack_offset(const nlmsghdr& message) {
  return message.nlmsg_type == NLMSG_ERROR ? sizeof(nlmsgerr) : sizeof(int);
}

}  // namespace

CtnetlinkSocket::CtnetlinkSocket(std::span<const std::uint32_t> groups)
    : fd_(checked(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), "socket")),
      buffer_(kBufferSize) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  checked(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  set_option(fd_.get(), NETLINK_EXT_ACK, 1, "setsockopt NETLINK_EXT_ACK");
  set_option(fd_.get(), NETLINK_CAP_ACK, 1, "setsockopt NETLINK_CAP_ACK");
  for (const std::uint32_t group : groups) {
    set_option(fd_.get(), NETLINK_ADD_MEMBERSHIP, static_cast<int>(group),
               "setsockopt NETLINK_ADD_MEMBERSHIP");
  }
}

int CtnetlinkSocket::enlarge_receive_buffer(int size) {
  // An unprivileged user namespace has CAP_NET_ADMIN, but not where SO_RCVBUFFORCE asks for it.
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    checked(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size),
            "setsockopt SO_RCVBUF");
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  checked(::getsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &granted, &length),
          "getsockopt SO_RCVBUF");
  return granted;
}

std::uint32_t CtnetlinkSocket::drops() const {
  std::uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof memory;
  checked(::getsockopt(fd_.get(), SOL_SOCKET, SO_MEMINFO, memory, &length),
          "getsockopt SO_MEMINFO");
  return memory[SK_MEMINFO_DROPS];
}

void CtnetlinkSocket::send(const void* octets, std::size_t size) {
  checked(::send(fd_.get(), octets, size, 0), "send");
}

std::span<const std::uint8_t> CtnetlinkSocket::receive(int timeout_ms) {
  pollfd entry{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (checked(::poll(&entry, 1, timeout_ms), "poll") == 0) return {};
  const auto size =
      checked(::recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC), "recv");
  if (static_cast<std::size_t>(size) > buffer_.size()) throw SystemError(EMSGSIZE, "recv");
  return {buffer_.data(), static_cast<std::size_t>(size)};
}

bool is_verdict(const nlmsghdr& message) {
  return message.nlmsg_type == NLMSG_ERROR || message.nlmsg_type == NLMSG_DONE;
}

Verdict read_verdict(const nlmsghdr& message) {
  Verdict verdict;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(int)) return verdict;
  verdict.code = -*static_cast<const int*>(mnl_nlmsg_get_payload(&message));
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
    mnl_attr_parse(&message, static_cast<unsigned>(extack_offset(message)), collect_extack,
                   &verdict);
  }
  return verdict;
}

}  // namespace nfconntrack::testing
