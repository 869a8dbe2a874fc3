#include "flow_request.h"

#include <sys/socket.h>

#include "ctnetlink.h"
#include "flow_decoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

void put_key(Request& request, const FlowRecord& key) {
  if (key.presence & FlowRecord::kHasOrig) {
    request.put_tuple(kTupleOrig, key.orig);
  } else {
    request.put_tuple(kTupleReply, key.reply);
  }
  if (key.presence & FlowRecord::kHasZone) request.put_be16(kZone, key.zone);
}

u32 cpu_of(const Message& message) {
  Header header{};
  if (message.payload.size() < sizeof header) return 0;
  std::memcpy(&header, message.payload.data(), sizeof header);
  return be16toh(header.res_id);
}

void take_stats(const Message& message, u32 cpu, std::vector<Statistic>& stats) {
  if (message.payload.size() < sizeof(Header)) return;
  AttributeReader reader(message.payload.subspan(sizeof(Header)));
  while (reader.next()) {
    const Attribute& attribute = reader.attribute();
    if (attribute.has(4)) stats.push_back({cpu, attribute.type, attribute.be32()});
  }
}

}  // namespace

Failure get_flow(NetlinkSocket& socket, const FlowRecord& key, FlowBatch& batch) {
  Request request(message_type(kSubsystemFlow, kGet), NLM_F_ACK, socket.next_sequence(),
                  key.family);
  put_key(request, key);
  bool malformed = false;
  Failure failure = exchange(socket, request, [&](const Message& message) {
    malformed |= !decode_flow(message.payload, batch.append(), batch.tail());
  });
  if (failure.ok() && malformed) return Failure::of(EBADMSG, "netlink");
  return failure;
}

Failure get_cpu_stats(NetlinkSocket& socket, std::vector<Statistic>& stats) {
  const Request request(message_type(kSubsystemFlow, kGetStatsCpu), NLM_F_DUMP,
                        socket.next_sequence(), AF_UNSPEC);
  return exchange(socket, request,
                  [&](const Message& message) { take_stats(message, cpu_of(message), stats); });
}

Failure get_global_stats(NetlinkSocket& socket, std::vector<Statistic>& stats) {
  const Request request(message_type(kSubsystemFlow, kGetStats), NLM_F_ACK, socket.next_sequence(),
                        AF_UNSPEC);
  return exchange(socket, request, [&](const Message& message) { take_stats(message, 0, stats); });
}

}  // namespace nfconntrack
