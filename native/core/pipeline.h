// Many requests on one socket, several to a send, errors matched to them by sequence number.
#pragma once

#include <functional>
#include <vector>

#include "message.h"
#include "netlink_socket.h"
#include "request.h"

namespace nfconntrack {

// The kernel answers a request with NLM_F_ACK always, one without only if it fails: so the last one
// of a send asks for an acknowledgement, and once that is there every other answer of the send is
// too.
class Pipeline {
 public:
  // Requests in one send. More gain nothing measurable (ctnetlink takes one lock per message), and
  // the answers of as many, each charged with less than 2 KiB, fit the default receive buffer of
  // 208 KiB.
  static constexpr u32 kMaxRequests = 64;

  using OnFailure = std::function<void(u32 entry, Failure failure)>;
  using OnMessage = std::function<void(const Message& message)>;

  // `on_failure` hears of every refused request. `on_message` of every other message (NLM_F_ECHO).
  Pipeline(const NetlinkSocket& socket, OnFailure on_failure, OnMessage on_message = {});

  // Adds the request of `entry`, and sends what has gathered when it is enough.
  Failure add(u32 entry, const Request& request);
  // Sends the rest, and waits for its answers. It may be used again afterwards.
  Failure finish();

 private:
  struct Pending {
    u32 entry;
    u32 sequence;
  };

  Failure receive();
  bool take(Bytes datagram);
  void report(const Message& message);

  const NetlinkSocket& socket_;
  const OnFailure on_failure_;
  const OnMessage on_message_;
  std::vector<u8> out_;
  std::vector<u8> in_;
  std::vector<Pending> pending_;
  std::size_t last_header_ = 0;
};

}  // namespace nfconntrack
