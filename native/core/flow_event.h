// Which messages announce a change of a flow, and how.
#pragma once

#include <linux/netlink.h>

#include "ctnetlink.h"
#include "record.h"

namespace nfconntrack {

inline bool is_flow_event(u16 type) {
  return type == ctnetlink::message_type(ctnetlink::kSubsystemFlow, ctnetlink::kNew) ||
         type == ctnetlink::message_type(ctnetlink::kSubsystemFlow, ctnetlink::kDelete);
}

inline u8 flow_event_kind(const nlmsghdr& header) {
  if (header.nlmsg_type == ctnetlink::message_type(ctnetlink::kSubsystemFlow, ctnetlink::kDelete)) {
    return Kind::kDestroy;
  }
  return (header.nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL)) != 0 ? Kind::kNew : Kind::kUpdate;
}

// What the message's header says, and when it was read (ns since the epoch).
inline void set_event(const nlmsghdr& header, u64 time, FlowRecord& event) {
  event.kind = flow_event_kind(header);
  event.portid = header.nlmsg_pid;
  event.time = time;
  event.presence |= FlowRecord::kHasTime;
}

}  // namespace nfconntrack
