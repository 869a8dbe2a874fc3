#include "flow_request.h"

#include <sys/socket.h>

#include "ctnetlink.h"
#include "flow_decoder.h"
#include "flow_encoder.h"

namespace nfconntrack {
using namespace ctnetlink;

Failure get_flow(NetlinkSocket& socket, const FlowRecord& key, FlowBatch& batch) {
  Request request(message_type(kSubsystemFlow, kGet), NLM_F_ACK, socket.next_sequence(),
                  key.family);
  put_identity(request, key);
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
  return exchange(socket, request, [&](const Message& message) {
    take_statistics(message, cpu_of(message), stats);
  });
}

Failure get_global_stats(NetlinkSocket& socket, std::vector<Statistic>& stats) {
  const Request request(message_type(kSubsystemFlow, kGetStats), NLM_F_ACK, socket.next_sequence(),
                        AF_UNSPEC);
  return exchange(socket, request,
                  [&](const Message& message) { take_statistics(message, 0, stats); });
}

}  // namespace nfconntrack
