#include "flow_change.h"

#include <sys/socket.h>

#include "ctnetlink.h"
#include "flow_encoder.h"
#include "pipeline.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

bool makes(Change change) { return change == Change::kCreate || change == Change::kAdd; }

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
      : socket_(socket),
        change_(change),
        batch_(batch),
        results_(batch.size()),
        pipeline_(socket, [this](u32 index, Failure failure) {
          // Why it failed first is why it failed: what comes after it takes it back.
          if (results_[index].ok()) results_[index] = std::move(failure);
        }) {}

  Failure run() {
    for (u32 index = 0; index < batch_.size(); ++index) {
      if (Failure failure = add(index); !failure.ok()) return failure;
    }
    return pipeline_.finish();
  }

  void list(std::vector<Refusal>& refusals) {
    for (u32 index = 0; index < results_.size(); ++index) {
      if (!results_[index].ok()) refusals.push_back({index, std::move(results_[index])});
    }
  }

 private:
  Failure add(u32 index) {
    const FlowRecord flow = batch_.record(index);
    if (!identifies(flow)) {
      results_[index] = Failure::of(EINVAL, "netlink");
      return {};
    }
    if (makes(change_) && has_labels(flow, batch_)) return make_labelled(index, flow);
    return pipeline_.add(index, request_of(change_, socket_.next_sequence(), flow, batch_));
  }

  // The kernel makes a flow whose labels it has no room for, without a word. They come in a request
  // of their own, once it is known that the flow was made: one that was refused may be there
  // already. All that is before the next entry, which may want the same tuple.
  Failure make_labelled(u32 index, const FlowRecord& flow) {
    Failure failure = settle(index, request_of(change_, socket_.next_sequence(), flow, batch_));
    if (!failure.ok() || !results_[index].ok()) return failure;
    failure = settle(index, label_request(socket_.next_sequence(), flow, batch_));
    if (!failure.ok() || results_[index].ok() || change_ == Change::kAdd) return failure;
    // A flow that could not be made as it was wanted is not to be there at all.
    return settle(index, request_of(Change::kDelete, socket_.next_sequence(), flow, batch_));
  }

  // Sends a request behind all that were added, and waits for the answers.
  Failure settle(u32 index, const Request& request) {
    Failure failure = pipeline_.add(index, request);
    return failure.ok() ? pipeline_.finish() : failure;
  }

  NetlinkSocket& socket_;
  const Change change_;
  const BatchView& batch_;
  std::vector<Failure> results_;
  Pipeline pipeline_;
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
