#include "change_stream.h"

#include "clock.h"

namespace nfconntrack {
namespace {

constexpr std::size_t kBatchSize = 1024;
// A tail entry's length is a u16.
constexpr std::size_t kMaxBefore = 65535;

std::vector<u8> packed(const KnownFlow* flow) {
  if (flow == nullptr) return {};
  std::vector<u8> bytes(packed_size(*flow));
  pack(*flow, bytes.data());
  return bytes;
}

u8 kind_of(const FlowChange& change) {
  if (change.before == nullptr) return Kind::kNew;
  return change.after == nullptr ? Kind::kDestroy : Kind::kUpdate;
}

}  // namespace

ChangeStream::ChangeStream(std::shared_ptr<Mirror> mirror, ChangeStreamRequest request,
                           std::function<void()> wake)
    : mirror_(std::move(mirror)),
      request_(std::move(request)),
      queue_(kBatchSize, request_.queue_limit, std::move(wake)) {}

Failure ChangeStream::start() {
  return mirror_->add_listener(this) ? Failure{} : Failure::of(ECANCELED, "mirror");
}

void ChangeStream::stop() {
  mirror_->remove_listener(this);
  queue_.stop();
}

void ChangeStream::refill() {
  const std::lock_guard lock(mirror_->mutex());
  if (pending_.empty()) return;
  Appender appender(queue_);
  while (!pending_.empty() && !appender.full()) {
    const auto first = pending_.begin();
    append_coalesced(appender, first->first, first->second);
    pending_.erase(first);
  }
}

ChangeStream::Counts ChangeStream::counts() {
  const std::lock_guard lock(mirror_->mutex());
  Counts counts = counts_;
  counts.queue = queue_.counts();
  counts.queue.queued += pending_.size();
  return counts;
}

void ChangeStream::changed(const FlowChange& change) {
  if (!is_of_events()) ++counts_.received;
  if (is_of_events() && announced_ && !change.synthetic) return;
  const KnownFlow* flow = change.last;
  Appender appender(queue_);
  const bool refused = is_of_events() && !change.synthetic;
  if (refused || is_pending(flow->record) || appender.full()) {
    coalesce(change);
  } else {
    append(appender, change);
  }
}

bool ChangeStream::is_pending(const FlowRecord& flow) const {
  return !pending_.empty() && pending_.contains(orig_key(flow));
}

void ChangeStream::coalesce(const FlowChange& change) {
  ++counts_.coalesced;
  const KnownFlow* flow = change.last;
  // What the consumer knew first is what counts.
  pending_.try_emplace(orig_key(flow->record), packed(change.before));
}

void ChangeStream::append_coalesced(Appender& appender, const FlowKey& key, const Packed& told) {
  KnownFlow before;
  KnownFlow after;
  const bool was = !told.empty();
  const bool is = mirror_->peek(key, after);
  if (!was && !is) return;
  if (was) unpack(told.data(), before);
  if (was && is && !differs(before, after)) return;
  append(appender,
         {was ? &before : nullptr, is ? &after : nullptr, is ? &after : &before, true, now()});
}

void ChangeStream::append(Appender& appender, const FlowChange& change) {
  const KnownFlow* flow = change.last;
  const u8 kind = kind_of(change);
  if (is_of_events() && !is_wanted(kind, flow->record, flow->tail)) return;
  FlowBatch* batch = appender.room(change.time);
  if (batch == nullptr) return;
  const u32 tail = batch->tail().size();
  FlowRecord& record = flow->append_to(*batch);
  record.kind = kind;
  record.synthetic = change.synthetic ? 1 : 0;
  if (change.synthetic) ++counts_.synthetic;
  if (kind == Kind::kUpdate && !is_of_events()) {
    std::vector<u8> before(change.before->flat_size());
    change.before->write(before.data());
    if (before.size() <= kMaxBefore) batch->tail().add(TailType::kBefore, before);
    record.tailLength = batch->tail().size() - tail;
  }
  appender.appended(change.time);
}

// --- events ---

bool ChangeStream::is_wanted(u8 kind, const FlowRecord& flow, const Tail& tail) const {
  if ((request_.event_kinds & (1U << kind)) == 0) return false;
  return request_.filter == nullptr || request_.filter->matches(flow, tail);
}

void ChangeStream::announced(const FlowRecord& event, const Tail& tail) {
  if (!is_of_events()) return;
  ++counts_.received;
  announced_ = true;
  if (!is_wanted(event.kind, event, tail)) {
    ++counts_.filtered;
    return;
  }
  Appender appender(queue_);
  // What is put together of a flow comes in one piece, before anything else of it.
  if (is_pending(event)) {
    appender.refuse(event.time);
    announced_ = false;
    return;
  }
  FlowBatch* batch = appender.room(event.time);
  if (batch == nullptr) {
    announced_ = false;
    return;
  }
  FlowRecord& copy = batch->append();
  copy = event;
  copy.tailOffset = batch->tail().size();
  batch->tail().append(tail, event.tailOffset, event.tailLength);
  appender.appended(event.time);
}

// The consumer, who has been told of it, must not keep it.
void ChangeStream::outdated(const KnownFlow& flow) {
  if (is_of_events() && announced_) changed({&flow, nullptr, &flow, true, flow.record.time});
}

void ChangeStream::lost(const Loss& loss, u64 time) {
  if (is_of_events()) Appender(queue_).lose(loss, time);
}

void ChangeStream::ended(const Failure& failure) { queue_.finish(failure); }

}  // namespace nfconntrack
