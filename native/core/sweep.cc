#include "sweep.h"

#include <algorithm>
#include <new>

#include "ctnetlink.h"
#include "flow_decoder.h"
#include "flow_encoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

constexpr std::size_t kQueueLimit = 4 * FlowLister::kBatchSize;
constexpr std::size_t kMaxFailures = 8;

bool same_flow(const FlowRecord& a, const FlowRecord& b) {
  return a.id == b.id && a.zone == b.zone && std::memcmp(&a.orig, &b.orig, sizeof a.orig) == 0;
}

void copy_flow(const FlowBatch& from, const FlowRecord& flow, FlowBatch& to) {
  FlowRecord copy = flow;
  copy.tailOffset = to.tail().size();
  to.tail().append(from.tail(), flow.tailOffset, flow.tailLength);
  to.append() = copy;
}

}  // namespace

Sweep::Sweep(std::shared_ptr<const Netns> netns, SweepRequest request, std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(std::move(request)),
      queue_(FlowLister::kBatchSize, kQueueLimit, std::move(wake)) {}

Failure Sweep::start() {
  if (request_.action == SweepAction::kUpdate) {
    if (!changes_.open(request_.changes) || changes_.size() != 1) {
      return Failure::of(EINVAL, "netlink");
    }
  }
  if (Failure failure = stop_.open(); !failure.ok()) return failure;
  return thread_.start("nfct-sweep", [this] { queue_.finish(run()); });
}

void Sweep::stop() {
  stop_.set();
  queue_.stop();
  thread_.join();
}

SweepProgress Sweep::progress() const { return {scanned_, matched_, done_, gone_, failed_}; }

std::vector<Failure> Sweep::failures() {
  const std::lock_guard lock(mutex_);
  return failures_;
}

Failure Sweep::run() {
  try {
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (Failure failure = list_socket_.open(); !failure.ok()) return failure;
    if (Failure failure = change_socket_.open(); !failure.ok()) return failure;
    portid_ = change_socket_.portid();
    return list();
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

Failure Sweep::list() {
  FlowLister* running = nullptr;
  FlowLister::Sink sink{
      [&] {
        scanned_ = running->scanned();
        return !full_ && failure_.ok() && queue_.wait_for_room();
      },
      [this](std::unique_ptr<FlowBatch> batch) { return take(std::move(batch)); },
  };
  FlowLister lister(list_socket_, stop_, request_.list, std::move(sink));
  running = &lister;
  Failure failure = lister.run();
  scanned_ = lister.scanned();
  if (!failure_.ok()) return failure_;
  return full_ ? Failure{} : failure;
}

std::unique_ptr<FlowBatch> Sweep::take(std::unique_ptr<FlowBatch> batch) {
  std::size_t count = full_ || !failure_.ok() ? 0 : batch->size();
  if (request_.limit != 0) count = std::min<std::size_t>(count, request_.limit - matched_);
  matched_ += count;
  full_ |= request_.limit != 0 && matched_ == request_.limit;
  if (count > 0) failure_ = act(*batch, count);
  batch->clear();
  return batch;
}

Failure Sweep::act(const FlowBatch& batch, std::size_t count) {
  fates_.assign(count, Fate::kDone);
  has_receipt_.assign(count, false);
  if (receipts_ == nullptr) receipts_ = std::make_unique<FlowBatch>(FlowLister::kBatchSize);
  Failure failure;
  if (request_.action != SweepAction::kCount) {
    Pipeline pipeline(
        change_socket_, [&](u32 index, Failure why) { refused(index, std::move(why)); },
        [&](const Message& message) { echoed(message, batch); });
    for (next_ = 0; next_ < count && failure.ok();) {
      const u32 index = next_++;
      const FlowRecord& flow = batch.records()[index];
      failure = pipeline.add(index, request_for(flow, change_socket_.next_sequence()));
    }
    if (failure.ok()) failure = pipeline.finish();
    if (!failure.ok()) give_up();
    done_ += static_cast<u64>(std::count(fates_.begin(), fates_.end(), Fate::kDone));
  }
  if (request_.receipts) hand_over_receipts(batch, count);
  return failure;
}

Request Sweep::request_for(const FlowRecord& flow, u32 sequence) const {
  const bool deletes = request_.action == SweepAction::kDelete;
  const u16 flags = deletes && request_.receipts ? NLM_F_ECHO : 0;
  Request request(message_type(kSubsystemFlow, deletes ? kDelete : kNew), flags, sequence,
                  flow.family);
  FlowRecord identity = flow;
  if (deletes) {
    put_identity(request, identity);
    return request;
  }
  // An update knows no id: CTA_ID is no part of it (ctnetlink_new_conntrack()).
  identity.presence &= ~FlowRecord::kHasId;
  put_identity(request, identity);
  FlowRecord changes = changes_.record(0);
  changes.presence &= ~(FlowRecord::kHasOrig | FlowRecord::kHasReply | FlowRecord::kHasZone);
  changes.family = flow.family;
  if ((request_.status_set | request_.status_clear) != 0) {
    changes.status = (flow.status | request_.status_set) & ~request_.status_clear;
    changes.presence |= FlowRecord::kHasStatus;
  }
  put_flow(request, changes, changes_);
  put_labels(request, changes, changes_);
  return request;
}

void Sweep::refused(u32 index, Failure failure) {
  const bool gone = failure.code == ENOENT;
  fates_[index] = gone ? Fate::kGone : Fate::kFailed;
  if (gone) {
    ++gone_;
    return;
  }
  ++failed_;
  const std::lock_guard lock(mutex_);
  if (failures_.size() < kMaxFailures) failures_.push_back(std::move(failure));
}

// What was under way or not yet sent when the socket failed.
void Sweep::give_up() {
  const u32 first = next_ > Pipeline::kMaxRequests ? next_ - Pipeline::kMaxRequests : 0;
  for (std::size_t index = first; index < fates_.size(); ++index) {
    if (fates_[index] == Fate::kDone) fates_[index] = Fate::kFailed;
  }
}

// The kernel repeats a deleted flow with its last counters; nothing in the message says to which
// request it belongs, so it is found among the few that are under way.
void Sweep::echoed(const Message& message, const FlowBatch& batch) {
  FlowRecord& receipt = receipts_->append();
  const bool whole = decode_flow(message.payload, receipt, receipts_->tail());
  const u32 first = next_ > Pipeline::kMaxRequests ? next_ - Pipeline::kMaxRequests : 0;
  for (u32 index = first; whole && index < next_; ++index) {
    if (has_receipt_[index] || !same_flow(batch.records()[index], receipt)) continue;
    has_receipt_[index] = true;
    receipt.kind = Kind::kDestroy;
    return;
  }
  receipts_->tail().truncate(receipt.tailOffset);
  receipts_->drop_last();
}

void Sweep::hand_over_receipts(const FlowBatch& batch, std::size_t count) {
  for (std::size_t index = 0; index < count; ++index) {
    if (fates_[index] != Fate::kDone || has_receipt_[index]) continue;
    copy_flow(batch, batch.records()[index], *receipts_);
  }
  if (!receipts_->empty()) receipts_ = queue_.exchange(std::move(receipts_));
}

}  // namespace nfconntrack
