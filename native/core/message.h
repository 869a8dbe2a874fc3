// Walking the netlink messages of one datagram, and what an error message says.
#pragma once

#include <linux/netlink.h>

#include "attribute.h"
#include "failure.h"

namespace nfconntrack {

struct Message {
  nlmsghdr header{};
  Bytes payload;
};

// Like AttributeReader; nlmsg_len need not be a multiple of four, and the last message may lack its
// padding.
class MessageReader {
 public:
  explicit MessageReader(Bytes datagram) : rest_(datagram) {}

  bool next();
  [[nodiscard]] const Message& message() const { return message_; }
  [[nodiscard]] bool complete() const { return rest_.empty(); }

 private:
  Bytes rest_;
  Message message_;
};

// What NLMSG_ERROR or NLMSG_DONE reports: the errno (0 is success) and, from kernels that send
// extended acknowledgements, the text and the offset of the attribute that was refused.
Failure reported_by(const Message& message, const char* syscall);

}  // namespace nfconntrack
