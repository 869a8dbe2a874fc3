#include "synthetic_flow.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "system_error.h"

namespace nfconntrack::testing {
namespace {

constexpr int kAnswerTimeoutMs = 5000;
constexpr std::size_t kMostOctets = 512;  // of one message
constexpr std::uint16_t kServicePort = 80;

struct Address {
  std::uint8_t octets[16];
};

struct Tuple {
  Address src;
  Address dst;
  std::uint16_t sport;
  std::uint16_t dport;
};

Address ipv4_address(std::uint32_t host_order) {
  Address address{};
  const std::uint32_t wire = htonl(host_order);
  std::memcpy(address.octets, &wire, sizeof wire);
  return address;
}

Address ipv6_address(std::uint8_t second, std::uint16_t subnet, std::uint32_t host) {
  Address address{};
  address.octets[0] = 0xfd;
  address.octets[1] = second;
  const std::uint16_t wire_subnet = htons(subnet);
  const std::uint32_t wire_host = htonl(host);
  std::memcpy(address.octets + 2, &wire_subnet, sizeof wire_subnet);
  std::memcpy(address.octets + 12, &wire_host, sizeof wire_host);
  return address;
}

Address source(const SyntheticFlows& flows, std::uint32_t index) {
  if (flows.family == AF_INET6) return ipv6_address(flows.churning ? 1 : 0, 0, index);
  if (flows.churning) return ipv4_address(0xc6120000U | (index & 0x1ffffU));
  return ipv4_address(0x0a000000U | (index & 0xffffffU));
}

Address destination(const SyntheticFlows& flows) {
  if (flows.family == AF_INET6) return ipv6_address(0, 0xffff, 1);
  return ipv4_address(0xc0000201U);
}

Tuple tuple_of(const SyntheticFlows& flows, std::uint32_t index) {
  return {source(flows, index), destination(flows),
          static_cast<std::uint16_t>(1024 + index % 60000), kServicePort};
}

Tuple reversed(const Tuple& tuple) { return {tuple.dst, tuple.src, tuple.dport, tuple.sport}; }

void put_tuple(nlmsghdr* message, std::uint16_t type, const SyntheticFlows& flows,
               const Tuple& tuple) {
  const bool ipv4 = flows.family == AF_INET;
  const std::size_t size = ipv4 ? 4 : 16;
  nlattr* nest = mnl_attr_nest_start(message, type);
  nlattr* ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
  mnl_attr_put(message, ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, size, tuple.src.octets);
  mnl_attr_put(message, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, size, tuple.dst.octets);
  mnl_attr_nest_end(message, ip);
  nlattr* proto = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(message, CTA_PROTO_NUM, flows.protonum);
  mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(tuple.sport));
  mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(tuple.dport));
  mnl_attr_nest_end(message, proto);
  mnl_attr_nest_end(message, nest);
}

void put_established(nlmsghdr* message) {
  nlattr* protoinfo = mnl_attr_nest_start(message, CTA_PROTOINFO);
  nlattr* tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
  mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
  mnl_attr_nest_end(message, tcp);
  mnl_attr_nest_end(message, protoinfo);
}

nlmsghdr* begin(void* space, int command, int flags, std::uint32_t sequence, int family) {
  nlmsghdr* message = mnl_nlmsg_put_header(space);
  message->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | command);
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = sequence;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = static_cast<std::uint8_t>(family);
  header->version = NFNETLINK_V0;
  return message;
}

// Room for one more message at the end of `octets`.
void* room(std::vector<std::uint8_t>& octets) {
  octets.resize(octets.size() + kMostOctets);
  return octets.data() + octets.size() - kMostOctets;
}

void give_back(std::vector<std::uint8_t>& octets, const nlmsghdr* message) {
  octets.resize(octets.size() - kMostOctets + MNL_ALIGN(message->nlmsg_len));
}

void append_create(std::vector<std::uint8_t>& octets, const SyntheticFlows& flows,
                   std::uint32_t index, std::uint32_t sequence, bool acknowledge) {
  const int flags = NLM_F_CREATE | NLM_F_EXCL | (acknowledge ? NLM_F_ACK : 0);
  const Tuple tuple = tuple_of(flows, index);
  nlmsghdr* message = begin(room(octets), IPCTNL_MSG_CT_NEW, flags, sequence, flows.family);
  put_tuple(message, CTA_TUPLE_ORIG, flows, tuple);
  put_tuple(message, CTA_TUPLE_REPLY, flows, reversed(tuple));
  mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(flows.timeout));
  mnl_attr_put_u32(message, CTA_STATUS, htonl(flows.status));
  if (flows.mark) mnl_attr_put_u32(message, CTA_MARK, htonl(*flows.mark));
  if (flows.zone) mnl_attr_put_u16(message, CTA_ZONE, htons(*flows.zone));
  if (flows.protonum == IPPROTO_TCP) put_established(message);
  give_back(octets, message);
}

void append_delete(std::vector<std::uint8_t>& octets, const SyntheticFlows& flows,
                   std::uint32_t index, std::uint32_t sequence, bool acknowledge) {
  const int flags = acknowledge ? NLM_F_ACK : 0;
  nlmsghdr* message = begin(room(octets), IPCTNL_MSG_CT_DELETE, flags, sequence, flows.family);
  put_tuple(message, CTA_TUPLE_ORIG, flows, tuple_of(flows, index));
  if (flows.zone) mnl_attr_put_u16(message, CTA_ZONE, htons(*flows.zone));
  give_back(octets, message);
}

}  // namespace

std::uint32_t FlowWriter::create(const SyntheticFlows& flows, std::uint32_t first,
                                 std::uint32_t count) {
  return write(append_create, EEXIST, flows, first, count);
}

std::uint32_t FlowWriter::remove(const SyntheticFlows& flows, std::uint32_t first,
                                 std::uint32_t count) {
  return write(append_delete, ENOENT, flows, first, count);
}

void FlowWriter::flush() {
  octets_.clear();
  const std::uint32_t sequence = socket_.next_sequence();
  // Without a tuple, a DELETE is a flush.
  nlmsghdr* message = begin(room(octets_), IPCTNL_MSG_CT_DELETE, NLM_F_ACK, sequence, AF_UNSPEC);
  give_back(octets_, message);
  socket_.send(octets_.data(), octets_.size());
  await_acknowledgement(sequence, 0);
}

std::uint32_t FlowWriter::write(Append append, int tolerated, const SyntheticFlows& flows,
                                std::uint32_t first, std::uint32_t count) {
  std::uint32_t refused = 0;
  for (std::uint32_t done = 0; done < count;) {
    const std::uint32_t size = std::min(batch_, count - done);
    octets_.clear();
    std::uint32_t sequence = 0;
    for (std::uint32_t i = 0; i < size; ++i) {
      sequence = socket_.next_sequence();
      append(octets_, flows, first + done + i, sequence, i + 1 == size);
    }
    socket_.send(octets_.data(), octets_.size());
    refused += await_acknowledgement(sequence, tolerated);
    done += size;
  }
  return count - refused;
}

std::uint32_t FlowWriter::await_acknowledgement(std::uint32_t sequence, int tolerated) {
  std::uint32_t refused = 0;
  bool acknowledged = false;
  std::optional<Verdict> failure;
  while (!acknowledged) {
    const auto datagram = socket_.receive(kAnswerTimeoutMs);
    if (datagram.empty()) throw SystemError(ETIMEDOUT, "acknowledgement");
    for_each_message(datagram, [&](const nlmsghdr& message) {
      const Verdict verdict = read_verdict(message);
      if (verdict.code != 0) ++refused;
      if (verdict.code != 0 && verdict.code != tolerated && !failure) failure = verdict;
      if (message.nlmsg_seq == sequence) acknowledged = true;
    });
  }
  if (failure) throw SystemError(failure->code, failure->extack.value_or("ctnetlink request"));
  return refused;
}

}  // namespace nfconntrack::testing
