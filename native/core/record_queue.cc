#include "record_queue.h"

#include <chrono>

namespace nfconntrack {
namespace {

// Enough that producer and consumer can each hold one while two wait.
constexpr std::size_t kMaxSpares = 4;

// A gap in the place of a record; `kind` tells them apart.
template <typename Record>
void put(const GapRecord& gap, Record& record) {
  static_assert(sizeof gap <= sizeof record);
  static_assert(offsetof(GapRecord, kind) == offsetof(Record, kind));
  std::memcpy(&record, &gap, sizeof gap);
}

}  // namespace

template <typename Record>
RecordQueue<Record>::RecordQueue(std::size_t batch_size, std::size_t limit,
                                 std::function<void()> wake)
    : batch_size_(batch_size), limit_(limit), wake_(std::move(wake)) {}

template <typename Record>
bool RecordQueue<Record>::wait_for_room() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return stopped_ || counts_.queued < limit_; });
  return !stopped_;
}

template <typename Record>
std::size_t RecordQueue<Record>::room(int timeout) {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return stopped_ || counts_.queued < limit_; };
  room_.wait_for(lock, std::chrono::milliseconds(timeout), has_room);
  return counts_.queued < limit_ ? limit_ - counts_.queued : 0;
}

template <typename Record>
auto RecordQueue<Record>::exchange(std::unique_ptr<Batch> batch) -> std::unique_ptr<Batch> {
  bool wake = false;
  std::unique_ptr<Batch> next;
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

template <typename Record>
void RecordQueue<Record>::finish(Failure failure) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
    finished_ = true;
    wake = std::exchange(armed_, false);
  }
  if (wake) wake_();
}

template <typename Record>
RecordQueue<Record>::Appender::~Appender() {
  const bool wake = queue_.armed_ && (queue_.counts_.queued > 0 || queue_.gap_.reasons != 0);
  if (wake) queue_.armed_ = false;
  lock_.unlock();
  if (wake) queue_.wake_();
}

template <typename Record>
auto RecordQueue<Record>::Appender::room(u64 time) -> Batch* {
  if (full()) {
    refuse(time);
    return nullptr;
  }
  queue_.flush_gap();
  return &queue_.open_batch();
}

template <typename Record>
void RecordQueue<Record>::Appender::refuse(u64 time) {
  lose({.reasons = GapReason::kQueue}, time);
  ++queue_.gap_.queueDrops;
  ++queue_.counts_.queue_drops;
}

template <typename Record>
void RecordQueue<Record>::Appender::lose(const Loss& loss, u64 time) {
  GapRecord& gap = queue_.gap_;
  if (gap.reasons == 0) gap.since = queue_.last_event_ != 0 ? queue_.last_event_ : time;
  gap.kind = Kind::kGap;
  gap.reasons |= loss.reasons;
  gap.kernelDrops += loss.kernel_drops;
  gap.malformed += loss.malformed;
  gap.until = time;
}

template <typename Record>
void RecordQueue<Record>::Appender::appended(u64 time) {
  ++queue_.counts_.queued;
  queue_.last_event_ = time;
}

template <typename Record>
auto RecordQueue<Record>::take() -> std::unique_ptr<Batch> {
  const std::lock_guard lock(mutex_);
  // A gap at the end of what is queued has no event behind it that would flush it.
  if (counts_.queued == 0) flush_gap();
  if (counts_.queued == 0) {
    armed_ = !finished_ && !stopped_;
    return nullptr;
  }
  std::unique_ptr<Batch> batch = std::move(batches_.front());
  batches_.pop_front();
  counts_.queued -= batch->size();
  room_.notify_one();
  return batch;
}

template <typename Record>
void RecordQueue<Record>::give_back(std::unique_ptr<Batch> batch) {
  batch->clear();
  const std::lock_guard lock(mutex_);
  if (spares_.size() < kMaxSpares) spares_.push_back(std::move(batch));
}

template <typename Record>
bool RecordQueue<Record>::finished(Failure& failure) {
  const std::lock_guard lock(mutex_);
  if (!finished_ || counts_.queued > 0 || gap_.reasons != 0) return false;
  failure = failure_;
  return true;
}

template <typename Record>
void RecordQueue<Record>::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  armed_ = false;
  room_.notify_all();
}

template <typename Record>
typename RecordQueue<Record>::Counts RecordQueue<Record>::counts() {
  const std::lock_guard lock(mutex_);
  return counts_;
}

template <typename Record>
auto RecordQueue<Record>::open_batch() -> Batch& {
  if (batches_.empty() || batches_.back()->size() >= batch_size_) batches_.push_back(spare());
  return *batches_.back();
}

template <typename Record>
void RecordQueue<Record>::flush_gap() {
  if (gap_.reasons == 0) return;
  Batch& batch = open_batch();
  put(gap_, batch.append());
  batch.count_gap();
  ++counts_.queued;
  ++counts_.gaps;
  gap_ = GapRecord{};
}

template <typename Record>
auto RecordQueue<Record>::spare() -> std::unique_ptr<Batch> {
  if (spares_.empty()) return std::make_unique<Batch>(batch_size_);
  std::unique_ptr<Batch> batch = std::move(spares_.back());
  spares_.pop_back();
  return batch;
}

template class RecordQueue<FlowRecord>;
template class RecordQueue<ExpectationRecord>;

}  // namespace nfconntrack
