// A netlink socket to nf_conntrack. One socket serves one role: requests, a dump, or events.
#pragma once

#include <linux/netlink.h>
#include <sys/types.h>

#include <span>

#include "attribute.h"
#include "failure.h"
#include "fd.h"

namespace nfconntrack {

// What SO_MEMINFO tells of a socket (Linux 4.12; sock_diag's SK_MEMINFO_*).
struct SocketMemory {
  u32 queued = 0;          // bytes charged for messages that wait to be read
  u32 receive_buffer = 0;  // the limit of `queued`
  u32 drops = 0;           // messages the kernel threw away since the socket was made; wraps around
};

class NetlinkSocket {
 public:
  // Opens and binds, in the calling thread's network namespace, close-on-exec, with extended
  // acknowledgements.
  Failure open();

  // Joins a multicast group (ctnetlink::Group). Needs CAP_NET_ADMIN over the namespace.
  [[nodiscard]] Failure join(int group) const;

  // Asks for a receive buffer of `bytes`, beyond net.core.rmem_max where the caller may
  // (SO_RCVBUFFORCE: CAP_NET_ADMIN in the initial user namespace), and returns what was granted.
  // The kernel's own doubling is undone in both directions: what is asked for is what can be
  // queued.
  [[nodiscard]] u32 set_receive_buffer(u32 bytes) const;

  // Lets the kernel drop messages before they are queued: an array of struct sock_filter (classic
  // BPF).
  [[nodiscard]] Failure attach_filter(Bytes program) const;

  // Whether the kernel keeps an event that finds no room, and tries again: NETLINK_BROADCAST_ERROR
  // (Linux 2.6.30), and NETLINK_NO_ENOBUFS, since nothing is lost then.
  [[nodiscard]] Failure set_reliable(bool reliable) const;

  [[nodiscard]] Failure send(Bytes message) const;
  // Receives one datagram. MSG_TRUNC is part of the result: a value larger than the buffer tells
  // that the datagram was cut. -1 and errno on failure; EBADMSG for one that another process sent.
  ssize_t receive(std::span<u8> buffer, int flags) const;

  // Whether the kernel drops what it would have queued, as it does from an overrun until the queue
  // has been read empty. Found out by a message to ourselves (NLMSG_NOOP), which then is not queued
  // either; one that is gets read like any message that is not the kernel's, and left out. Needs
  // CAP_NET_ADMIN; false without.
  [[nodiscard]] bool is_congested() const;

  [[nodiscard]] SocketMemory memory() const;
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] u32 portid() const { return portid_; }
  u32 next_sequence() { return ++sequence_; }

 private:
  Fd fd_;
  u32 portid_ = 0;
  u32 sequence_ = 0;
};

}  // namespace nfconntrack
