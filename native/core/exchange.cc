#include "exchange.h"

#include <sys/socket.h>

#include <array>

namespace nfconntrack {
namespace {

// A datagram of a dump has at most 32 KiB (NLMSG_GOODSIZE limits of netlink_dump()).
constexpr std::size_t kDatagramSize = 65536;

enum class Progress { kMore, kDone };

Progress take(const Bytes datagram, u32 sequence, Failure& failure,
              const std::function<void(const Message&)>& on_message) {
  MessageReader reader(datagram);
  while (reader.next()) {
    const Message& message = reader.message();
    if (message.header.nlmsg_seq != sequence) continue;
    const u16 type = message.header.nlmsg_type;
    if (type == NLMSG_ERROR || type == NLMSG_DONE) {
      failure = reported_by(message, "netlink");
      return Progress::kDone;
    }
    if (type >= NLMSG_MIN_TYPE) on_message(message);
  }
  return Progress::kMore;
}

}  // namespace

Failure exchange(const NetlinkSocket& socket, const Request& request,
                 const std::function<void(const Message&)>& on_message) {
  const Bytes bytes = request.bytes();
  if (bytes.empty()) return Failure::of(EMSGSIZE, "netlink");
  nlmsghdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (Failure failure = socket.send(bytes); !failure.ok()) return failure;
  std::vector<u8> buffer(kDatagramSize);
  for (;;) {
    const ssize_t received = socket.receive(buffer, 0);
    if (received < 0 && errno == EBADMSG) continue;
    if (received < 0) return Failure::last("recvfrom");
    if (static_cast<std::size_t>(received) > buffer.size())
      return Failure::of(EMSGSIZE, "recvfrom");
    Failure failure;
    const Bytes datagram(buffer.data(), static_cast<std::size_t>(received));
    if (take(datagram, header.nlmsg_seq, failure, on_message) == Progress::kDone) return failure;
  }
}

}  // namespace nfconntrack
