#include "sweep.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "ctnetlink.h"
#include "flow_decoder.h"
#include "flow_encoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

constexpr std::size_t kQueueLimit = 4 * FlowLister::kBatchSize;
constexpr std::size_t kMaxFailures = 8;

// Bits that only the kernel sets (IPS_UNCHANGEABLE_MASK).
constexpr u32 kStatusUnchangeable = IPS_SRC_NAT | IPS_DST_NAT | IPS_SEQ_ADJUST | IPS_SRC_NAT_DONE |
                                    IPS_DST_NAT_DONE | IPS_DYING | IPS_EXPECTED | IPS_TEMPLATE |
                                    IPS_UNTRACKED | IPS_OFFLOAD | IPS_HW_OFFLOAD;
// Bits that ctnetlink_change_status() refuses to clear; the others it leaves, without a word.
constexpr u32 kStatusRefused =
    IPS_EXPECTED | IPS_CONFIRMED | IPS_DYING | IPS_SEEN_REPLY | IPS_ASSURED;

u8 protoinfo_of(u8 protonum) {
  switch (protonum) {
    case IPPROTO_TCP:
      return Protoinfo::kTcp;
    case IPPROTO_SCTP:
      return Protoinfo::kSctp;
    case IPPROTO_DCCP:
      return Protoinfo::kDccp;
    default:
      return Protoinfo::kNone;
  }
}

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

// Read against the order in which they are written, so that none is ahead of what it is a part of.
SweepProgress Sweep::progress() const {
  SweepProgress progress;
  progress.failed = failed_;
  progress.gone = gone_;
  progress.done = done_;
  progress.matched = matched_;
  progress.scanned = scanned_;
  return progress;
}

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
      [&](std::unique_ptr<FlowBatch> batch) {
        scanned_ = running->scanned();
        return take(std::move(batch));
      },
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
      if (const int refusal = refusal_of(flow); refusal != 0) {
        refused(index, Failure::of(refusal, "netlink"));
        continue;
      }
      failure = pipeline.add(index, request_for(flow, change_socket_.next_sequence()));
    }
    if (failure.ok()) failure = pipeline.finish();
    if (!failure.ok()) give_up();
    done_ += static_cast<u64>(std::count(fates_.begin(), fates_.end(), Fate::kDone));
  }
  if (request_.receipts) hand_over_receipts(batch, count);
  return failure;
}

// The errno of a change that the kernel would pass over without a word; 0 if there is none.
int Sweep::refusal_of(const FlowRecord& flow) const {
  if (request_.action != SweepAction::kUpdate) return 0;
  const u8 protoinfo = changes_.record(0).protoinfo;
  if (protoinfo != Protoinfo::kNone && protoinfo != protoinfo_of(flow.orig.protonum)) {
    return EOPNOTSUPP;
  }
  const u32 wanted = changed_status(flow);
  const u32 ignored =
      (wanted & ~flow.status & kStatusUnchangeable) | (flow.status & ~wanted & ~kStatusRefused);
  return ignored == 0 ? 0 : EBUSY;
}

u32 Sweep::changed_status(const FlowRecord& flow) const {
  return (flow.status | request_.status_set) & ~request_.status_clear;
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
    changes.status = changed_status(flow);
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
