#include "flow_change.h"

#include <sys/socket.h>

#include "ctnetlink.h"
#include "flow_encoder.h"
#include "pipeline.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

u16 flags_of(Change change) {
  if (change == Change::kCreate) return NLM_F_CREATE | NLM_F_EXCL;
  return change == Change::kAdd ? NLM_F_CREATE : 0;
}

Request request_of(Change change, u32 sequence, const FlowRecord& flow, const BatchView& batch) {
  const int command = change == Change::kDelete ? kDelete : kNew;
  Request request(message_type(kSubsystemFlow, command), flags_of(change), sequence, flow.family);
  if (change == Change::kDelete) {
    put_identity(request, flow);
  } else {
    put_flow(request, flow, batch);
  }
  return request;
}

// A delete without a tuple is a flush, and a tuple without addresses names no flow.
bool identifies(const FlowRecord& flow) {
  const bool orig = (flow.presence & FlowRecord::kHasOrig) != 0;
  const bool reply = (flow.presence & FlowRecord::kHasReply) != 0;
  const TupleRecord& tuple = orig ? flow.orig : flow.reply;
  constexpr u32 kAddresses = TupleRecord::kHasSrc | TupleRecord::kHasDst;
  return (orig || reply) && (tuple.presence & kAddresses) == kAddresses;
}

}  // namespace

Failure apply(NetlinkSocket& socket, Change change, const BatchView& batch,
              std::vector<Refusal>& refusals) {
  Pipeline pipeline(socket, [&](u32 entry, Failure failure) {
    refusals.push_back({entry, std::move(failure)});
  });
  for (u32 index = 0; index < batch.size(); ++index) {
    const FlowRecord flow = batch.record(index);
    if (!identifies(flow)) {
      refusals.push_back({index, Failure::of(EINVAL, "netlink")});
      continue;
    }
    const Request request = request_of(change, socket.next_sequence(), flow, batch);
    if (Failure failure = pipeline.add(index, request); !failure.ok()) return failure;
  }
  return pipeline.finish();
}

Failure flush(NetlinkSocket& socket) {
  const Request request(message_type(kSubsystemFlow, kDelete), NLM_F_ACK, socket.next_sequence(),
                        AF_UNSPEC);
  return exchange(socket, request, [](const Message&) {});
}

}  // namespace nfconntrack
