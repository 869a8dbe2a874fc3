// A message as libnetfilter_conntrack takes it.
#pragma once

#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <napi.h>

#include <cerrno>
#include <memory>

#include "system_error.h"

namespace nfconntrack::testing {

using FlowPointer = std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)>;

// The library's parsers read the header of nfnetlink unasked.
inline const nlmsghdr* message_at(const Napi::Value& value) {
  const auto octets = value.As<Napi::Uint8Array>();
  const auto* message = reinterpret_cast<const nlmsghdr*>(octets.Data());
  const bool whole = octets.ByteLength() >= sizeof(nlmsghdr) + sizeof(nfgenmsg) &&
                     message->nlmsg_len >= sizeof(nlmsghdr) + sizeof(nfgenmsg) &&
                     message->nlmsg_len <= octets.ByteLength();
  if (!whole) throw SystemError(EINVAL, "not a whole message");
  return message;
}

}  // namespace nfconntrack::testing
