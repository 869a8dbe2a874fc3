#include "flow_queue.h"

namespace nfconntrack {
namespace {

// Enough that producer and consumer can each hold one while two wait.
constexpr std::size_t kMaxSpares = 4;

FlowRecord as_flow(const GapRecord& gap) {
  static_assert(sizeof(GapRecord) == sizeof(FlowRecord));
  FlowRecord record;
  std::memcpy(&record, &gap, sizeof record);
  return record;
}

}  // namespace

FlowQueue::FlowQueue(std::size_t batch_size, std::size_t limit, std::function<void()> wake)
    : batch_size_(batch_size), limit_(limit), wake_(std::move(wake)) {}

bool FlowQueue::wait_for_room() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return stopped_ || counts_.queued < limit_; });
  return !stopped_;
}

std::unique_ptr<FlowBatch> FlowQueue::exchange(std::unique_ptr<FlowBatch> batch) {
  bool wake = false;
  std::unique_ptr<FlowBatch> next;
  {
    const std::lock_guard lock(mutex_);
    counts_.queued += batch->size();
    batches_.push_back(std::move(batch));
    next = spare();
    wake = std::exchange(armed_, false);
  }
  if (wake) wake_();
  return next;
}

void FlowQueue::finish(Failure failure) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
    finished_ = true;
    wake = std::exchange(armed_, false);
  }
  if (wake) wake_();
}

FlowQueue::Appender::~Appender() {
  const bool wake = queue_.armed_ && (queue_.counts_.queued > 0 || queue_.gap_.reasons != 0);
  if (wake) queue_.armed_ = false;
  lock_.unlock();
  if (wake) queue_.wake_();
}

FlowBatch* FlowQueue::Appender::room(u64 time) {
  if (queue_.counts_.queued >= queue_.limit_) {
    lose({.reasons = GapReason::kQueue}, time);
    ++queue_.gap_.queueDrops;
    ++queue_.counts_.queue_drops;
    return nullptr;
  }
  queue_.flush_gap();
  return &queue_.open_batch();
}

void FlowQueue::Appender::lose(const Loss& loss, u64 time) {
  GapRecord& gap = queue_.gap_;
  if (gap.reasons == 0) gap.since = queue_.last_event_ != 0 ? queue_.last_event_ : time;
  gap.kind = Kind::kGap;
  gap.reasons |= loss.reasons;
  gap.kernelDrops += loss.kernel_drops;
  gap.malformed += loss.malformed;
  gap.until = time;
}

void FlowQueue::Appender::appended(u64 time) {
  ++queue_.counts_.queued;
  queue_.last_event_ = time;
}

std::unique_ptr<FlowBatch> FlowQueue::take() {
  const std::lock_guard lock(mutex_);
  // A gap at the end of what is queued has no event behind it that would flush it.
  if (counts_.queued == 0) flush_gap();
  if (counts_.queued == 0) {
    armed_ = !finished_ && !stopped_;
    return nullptr;
  }
  std::unique_ptr<FlowBatch> batch = std::move(batches_.front());
  batches_.pop_front();
  counts_.queued -= batch->size();
  room_.notify_one();
  return batch;
}

void FlowQueue::give_back(std::unique_ptr<FlowBatch> batch) {
  batch->clear();
  const std::lock_guard lock(mutex_);
  if (spares_.size() < kMaxSpares) spares_.push_back(std::move(batch));
}

bool FlowQueue::finished(Failure& failure) {
  const std::lock_guard lock(mutex_);
  if (!finished_ || counts_.queued > 0 || gap_.reasons != 0) return false;
  failure = failure_;
  return true;
}

void FlowQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  armed_ = false;
  room_.notify_all();
}

FlowQueue::Counts FlowQueue::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

FlowBatch& FlowQueue::open_batch() {
  if (batches_.empty() || batches_.back()->size() >= batch_size_) batches_.push_back(spare());
  return *batches_.back();
}

void FlowQueue::flush_gap() {
  if (gap_.reasons == 0) return;
  FlowBatch& batch = open_batch();
  batch.append() = as_flow(gap_);
  batch.count_gap();
  ++counts_.queued;
  ++counts_.gaps;
  gap_ = GapRecord{};
}

std::unique_ptr<FlowBatch> FlowQueue::spare() {
  if (spares_.empty()) return std::make_unique<FlowBatch>(batch_size_);
  std::unique_ptr<FlowBatch> batch = std::move(spares_.back());
  spares_.pop_back();
  return batch;
}

}  // namespace nfconntrack
