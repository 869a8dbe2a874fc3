// One request and its answer on a control socket.
#pragma once

#include <functional>

#include "message.h"
#include "netlink_socket.h"
#include "request.h"

namespace nfconntrack {

// Sends `request` and gives every message of its answer to `on_message`, until the kernel's
// acknowledgement, error or end of dump. What an earlier exchange left on the socket is skipped by
// its sequence number. The request must carry NLM_F_ACK or NLM_F_DUMP.
Failure exchange(const NetlinkSocket& socket, const Request& request,
                 const std::function<void(const Message&)>& on_message);

}  // namespace nfconntrack
