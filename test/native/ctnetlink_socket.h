// A ctnetlink socket in the calling thread's network namespace.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "descriptor.h"

namespace nfconntrack::testing {

// The kernel's verdict on a request: NLMSG_ERROR, or the status in the NLMSG_DONE of a dump.
struct Verdict {
  int code = 0;  // errno; 0 is an acknowledgement
  std::optional<std::string> extack;
  std::optional<std::uint32_t> offset;  // of the attribute that the kernel blames
};

class CtnetlinkSocket {
 public:
  explicit CtnetlinkSocket(std::span<const std::uint32_t> groups = {});

  // Asks for a buffer of `size` bytes: beyond net.core.rmem_max where the caller may, up to it
  // where not. Gives the granted size, which the kernel doubles to account for its overhead.
  int enlarge_receive_buffer(int size);
  // Datagrams that the kernel could not queue, since the socket was made.
  [[nodiscard]] std::uint32_t drops() const;

  [[nodiscard]] std::uint32_t next_sequence() { return ++sequence_; }
  void send(const void* octets, std::size_t size);
  // One datagram, valid until the next call; empty when none came in time. Throws ENOBUFS after an
  // overrun.
  [[nodiscard]] std::span<const std::uint8_t> receive(int timeout_ms);

 private:
  Descriptor fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// Whether the message ends the answer to a request.
[[nodiscard]] bool is_verdict(const nlmsghdr& message);
[[nodiscard]] Verdict read_verdict(const nlmsghdr& message);

// Calls `visit(const nlmsghdr&)` for each message of a datagram.
template <typename Visit>
void for_each_message(std::span<const std::uint8_t> datagram, Visit&& visit) {
  auto rest = static_cast<int>(datagram.size());
  const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
  while (mnl_nlmsg_ok(message, rest)) {
    visit(*message);
    message = mnl_nlmsg_next(message, &rest);
  }
}

}  // namespace nfconntrack::testing
