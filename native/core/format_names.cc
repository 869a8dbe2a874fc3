#include "format_names.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <span>

namespace nfconntrack {
namespace {

// enum tcp_conntrack of <linux/netfilter/nf_conntrack_tcp.h>.
constexpr std::string_view kTcpStates[] = {"NONE",     "SYN_SENT",   "SYN_RECV", "ESTABLISHED",
                                           "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
                                           "CLOSE",    "SYN_SENT2"};

// enum sctp_conntrack of <linux/netfilter/nf_conntrack_sctp.h>; HEARTBEAT_ACKED until Linux 6.2.
constexpr std::string_view kSctpStates[] = {
    "NONE",          "CLOSED",        "COOKIE_WAIT",       "COOKIE_ECHOED",  "ESTABLISHED",
    "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"};

// enum ct_dccp_states of the kernel's nf_conntrack_dccp.h, until Linux 6.16.
constexpr std::string_view kDccpStates[] = {"NONE",   "REQUEST",  "RESPOND", "PARTOPEN",
                                            "OPEN",   "CLOSEREQ", "CLOSING", "TIMEWAIT",
                                            "IGNORE", "INVALID"};

std::span<const std::string_view> states_of(u8 protoinfo) {
  switch (protoinfo) {
    case Protoinfo::kTcp:
      return kTcpStates;
    case Protoinfo::kSctp:
      return kSctpStates;
    case Protoinfo::kDccp:
      return kDccpStates;
    default:
      return {};
  }
}

}  // namespace

std::string_view family_name(u8 family) {
  switch (family) {
    case AF_INET:
      return "ipv4";
    case AF_INET6:
      return "ipv6";
    default:
      return "unknown";
  }
}

std::string_view protocol_name(u8 protonum) {
  switch (protonum) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmpv6";
    case IPPROTO_SCTP:
      return "sctp";
    case IPPROTO_DCCP:
      return "dccp";
    case IPPROTO_UDPLITE:
      return "udplite";
    case IPPROTO_GRE:
      return "gre";
    default:
      return {};
  }
}

PortKind port_kind(u8 protonum) {
  switch (protonum) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_SCTP:
    case IPPROTO_DCCP:
      return PortKind::kPorts;
    case IPPROTO_GRE:
      return PortKind::kKeys;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return PortKind::kIcmp;
    default:
      return PortKind::kNone;
  }
}

std::string_view state_name(u8 protoinfo, u8 state) {
  const auto states = states_of(protoinfo);
  return state < states.size() ? states[state] : std::string_view{};
}

}  // namespace nfconntrack
