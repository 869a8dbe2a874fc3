// The least a program needs to talk to ctnetlink: a socket, and requests written by hand. Neither
// the library under test nor anybody else's is in it.
#pragma once

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bench {

// Ends the program with what failed: there is nothing to measure then.
[[noreturn]] void die(const char* what);

// Requests, one behind the other.
class Requests {
 public:
  void begin(int command, std::uint16_t flags, std::uint32_t sequence, std::uint8_t family);
  void end();
  std::size_t open(std::uint16_t type);
  void close(std::size_t nest);
  void put(std::uint16_t type, const void* data, std::size_t size);
  void put8(std::uint16_t type, std::uint8_t value) { put(type, &value, sizeof value); }
  void put16(std::uint16_t type, std::uint16_t host_order);
  void put32(std::uint16_t type, std::uint32_t host_order);

  void add_flag_to_last(std::uint16_t flag);
  void clear() { bytes_.clear(); }
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t last_ = 0;
};

class Socket {
 public:
  explicit Socket(std::uint32_t groups = 0);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Asks for a receive buffer of so many bytes, as the kernel counts them.
  void enlarge(int bytes);
  void send(const Requests& requests);
  // The size of one datagram; -1 with errno.
  ssize_t receive(std::vector<std::uint8_t>& buffer, int flags = 0);
  // Messages that the kernel dropped.
  [[nodiscard]] std::uint32_t drops() const;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// Calls visit(const nlmsghdr*) for the messages of a datagram.
template <typename Visit>
void each_message(const std::uint8_t* data, std::size_t size, Visit&& visit) {
  std::size_t at = 0;
  while (at + sizeof(nlmsghdr) <= size) {
    const auto* header = reinterpret_cast<const nlmsghdr*>(data + at);
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > size - at) return;
    visit(header);
    at += NLMSG_ALIGN(header->nlmsg_len);
  }
}

}  // namespace bench
