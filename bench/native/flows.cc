#include "flows.h"

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

namespace bench {
namespace {

constexpr std::uint32_t kBatch = 64;
constexpr std::uint32_t kTimeout = 3600;
constexpr std::uint32_t kServer = 0xc0000201;

struct Tuple {
  std::uint32_t src;
  std::uint32_t dst;
  std::uint16_t sport;
  std::uint16_t dport;
  std::uint8_t protonum;
};

// Flows of one source differ in port first and in the server's address then.
Tuple tuple_of(std::uint32_t index) {
  const std::uint32_t number = index / 4;
  return {
      .src = 0x0a000001 + index % 4,
      .dst = kServer + number / 50000,
      .sport = static_cast<std::uint16_t>(1024 + number % 50000),
      .dport = index % 100 < 2 && index % 2 == 0 ? kRarePort : std::uint16_t{443},
      .protonum = index / 2 % 2 == 0 ? std::uint8_t{IPPROTO_TCP} : std::uint8_t{IPPROTO_UDP},
  };
}

Tuple reversed(const Tuple& tuple) {
  return {tuple.dst, tuple.src, tuple.dport, tuple.sport, tuple.protonum};
}

void put_tuple(Requests& requests, std::uint16_t type, const Tuple& tuple) {
  const std::size_t outer = requests.open(type);
  const std::size_t ip = requests.open(CTA_TUPLE_IP);
  requests.put32(CTA_IP_V4_SRC, tuple.src);
  requests.put32(CTA_IP_V4_DST, tuple.dst);
  requests.close(ip);
  const std::size_t proto = requests.open(CTA_TUPLE_PROTO);
  requests.put8(CTA_PROTO_NUM, tuple.protonum);
  requests.put16(CTA_PROTO_SRC_PORT, tuple.sport);
  requests.put16(CTA_PROTO_DST_PORT, tuple.dport);
  requests.close(proto);
  requests.close(outer);
}

void put_tcp_state(Requests& requests) {
  const std::size_t outer = requests.open(CTA_PROTOINFO);
  const std::size_t tcp = requests.open(CTA_PROTOINFO_TCP);
  requests.put8(CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
  requests.close(tcp);
  requests.close(outer);
}

// Sends what is written and waits for the answer to the last request.
void settle(Socket& socket, Requests& requests, std::uint32_t last, int tolerated) {
  static std::vector<std::uint8_t> buffer(65536);
  requests.add_flag_to_last(NLM_F_ACK);
  socket.send(requests);
  requests.clear();
  for (bool done = false; !done;) {
    const ssize_t size = socket.receive(buffer);
    if (size < 0) die("recv");
    each_message(buffer.data(), static_cast<std::size_t>(size), [&](const nlmsghdr* message) {
      if (message->nlmsg_type != NLMSG_ERROR) return;
      int code = 0;
      std::memcpy(&code, NLMSG_DATA(message), sizeof code);
      if (code != 0 && code != -tolerated) {
        errno = -code;
        die("ctnetlink");
      }
      done |= message->nlmsg_seq == last;
    });
  }
}

template <typename Put>
void write_flows(Socket& socket, std::uint32_t first, std::uint32_t count, int tolerated, Put put) {
  static std::uint32_t sequence = 0;
  Requests requests;
  for (std::uint32_t done = 0; done < count;) {
    const std::uint32_t batch = std::min(kBatch, count - done);
    for (std::uint32_t i = 0; i < batch; ++i) put(requests, first + done + i, ++sequence);
    settle(socket, requests, sequence, tolerated);
    done += batch;
  }
}

}  // namespace

void put_create(Requests& requests, std::uint32_t index, std::uint32_t sequence,
                std::uint16_t flags) {
  const Tuple tuple = tuple_of(index);
  const auto all = static_cast<std::uint16_t>(NLM_F_CREATE | NLM_F_EXCL | flags);
  requests.begin(IPCTNL_MSG_CT_NEW, all, sequence, AF_INET);
  put_tuple(requests, CTA_TUPLE_ORIG, tuple);
  put_tuple(requests, CTA_TUPLE_REPLY, reversed(tuple));
  requests.put32(CTA_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
  requests.put32(CTA_TIMEOUT, kTimeout);
  if (tuple.protonum == IPPROTO_TCP) put_tcp_state(requests);
  requests.end();
}

void put_delete(Requests& requests, std::uint32_t index, std::uint32_t sequence) {
  requests.begin(IPCTNL_MSG_CT_DELETE, 0, sequence, AF_INET);
  put_tuple(requests, CTA_TUPLE_ORIG, tuple_of(index));
  requests.end();
}

void create_flows(Socket& socket, std::uint32_t first, std::uint32_t count) {
  write_flows(socket, first, count, EEXIST,
              [](Requests& requests, std::uint32_t index, std::uint32_t sequence) {
                put_create(requests, index, sequence, 0);
              });
}

void delete_flows(Socket& socket, std::uint32_t first, std::uint32_t count) {
  write_flows(socket, first, count, ENOENT, put_delete);
}

void flush_flows(Socket& socket) {
  Requests requests;
  requests.begin(IPCTNL_MSG_CT_DELETE, 0, 1, AF_UNSPEC);
  requests.end();
  settle(socket, requests, 1, 0);
}

}  // namespace bench
