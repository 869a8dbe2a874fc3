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
    return request;
  }
  put_flow(request, flow, batch);
  if (change == Change::kUpdate) put_labels(request, flow, batch);
  return request;
}

// Labels of a flow that was just made, in an update of their own, which tells if there is no room
// for them.
Request label_request(u32 sequence, const FlowRecord& flow, const BatchView& batch) {
  Request request(message_type(kSubsystemFlow, kNew), 0, sequence, flow.family);
  FlowRecord identity = flow;
  identity.presence &= ~FlowRecord::kHasId;
  put_identity(request, identity);
  put_labels(request, flow, batch);
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

// The requests of one batch, and what became of them.
class Application {
 public:
  Application(NetlinkSocket& socket, Change change, const BatchView& batch)
      : socket_(socket), change_(change), batch_(batch), results_(batch.size()) {}

  Failure run() {
    Pipeline pipeline(socket_, [this](u32 entry, Failure failure) {
      // An entry beyond the flows is the labels of one; why the flow itself failed comes first.
      const std::size_t size = batch_.size();
      if (entry >= size && results_[entry - size].ok()) unlabelled_.push_back(entry - size);
      Failure& result = results_[entry % size];
      if (result.ok()) result = std::move(failure);
    });
    for (u32 index = 0; index < batch_.size(); ++index) {
      if (Failure failure = add(pipeline, index); !failure.ok()) return failure;
    }
    if (Failure failure = pipeline.finish(); !failure.ok()) return failure;
    const bool makes = change_ == Change::kCreate || change_ == Change::kAdd;
    return makes ? label(pipeline) : Failure{};
  }

  void list(std::vector<Refusal>& refusals) {
    for (u32 index = 0; index < results_.size(); ++index) {
      if (!results_[index].ok()) refusals.push_back({index, std::move(results_[index])});
    }
  }

 private:
  Failure add(Pipeline& pipeline, u32 index) {
    const FlowRecord flow = batch_.record(index);
    if (!identifies(flow)) {
      results_[index] = Failure::of(EINVAL, "netlink");
      return {};
    }
    return pipeline.add(index, request_of(change_, socket_.next_sequence(), flow, batch_));
  }

  // Labels of the flows that were made, once it is known which: one that was refused may be there
  // already.
  Failure label(Pipeline& pipeline) {
    for (u32 index = 0; index < batch_.size(); ++index) {
      const FlowRecord flow = batch_.record(index);
      if (!results_[index].ok() || !has_labels(flow, batch_)) continue;
      const u32 entry = index + static_cast<u32>(batch_.size());
      const Request request = label_request(socket_.next_sequence(), flow, batch_);
      if (Failure failure = pipeline.add(entry, request); !failure.ok()) return failure;
    }
    if (Failure failure = pipeline.finish(); !failure.ok()) return failure;
    return change_ == Change::kCreate ? undo(pipeline) : Failure{};
  }

  // A flow that could not be made as it was wanted is not to be there at all.
  Failure undo(Pipeline& pipeline) {
    for (const std::size_t index : unlabelled_) {
      const FlowRecord flow = batch_.record(index);
      const Request request = request_of(Change::kDelete, socket_.next_sequence(), flow, batch_);
      if (Failure failure = pipeline.add(static_cast<u32>(index), request); !failure.ok()) {
        return failure;
      }
    }
    return pipeline.finish();
  }

  NetlinkSocket& socket_;
  const Change change_;
  const BatchView& batch_;
  std::vector<Failure> results_;
  std::vector<std::size_t> unlabelled_;
};

}  // namespace

Failure apply(NetlinkSocket& socket, Change change, const BatchView& batch,
              std::vector<Refusal>& refusals) {
  Application application(socket, change, batch);
  Failure failure = application.run();
  application.list(refusals);
  return failure;
}

Failure flush(NetlinkSocket& socket) {
  const Request request(message_type(kSubsystemFlow, kDelete), NLM_F_ACK, socket.next_sequence(),
                        AF_UNSPEC);
  return exchange(socket, request, [](const Message&) {});
}

}  // namespace nfconntrack
