// Looks after the table while a reliable socket is open. Flows whose DESTROY event found no room
// stay in the kernel's memory and count as entries; were nobody to read for long, they would fill
// the table, and the host would refuse new connections.
#pragma once

#include "netlink_socket.h"

namespace nfconntrack {

class TableWatch {
 public:
  // In the calling thread's network namespace.
  Failure open() { return socket_.open(); }
  // Whether three quarters of the table are taken; asks the kernel ten times a second at the most,
  // and says false in between.
  bool is_filling();

 private:
  NetlinkSocket socket_;
  u64 due_ = 0;  // monotonic ms
};

}  // namespace nfconntrack
