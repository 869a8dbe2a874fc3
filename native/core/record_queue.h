// The bounded queue between a thread that reads the kernel and the one consumer of its batches.
//
// Lifetime rules
// 1. The queue outlives its producing thread: the owner of both stops and joins the thread first.
// 2. `wake` is called on the producing thread, without the lock, at most once for each take() that
//    came back empty; never after stop() has returned and the thread is joined.
// 3. A batch that take() gave belongs to the consumer; giving it back saves an allocation.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "failure.h"
#include "record_batch.h"

namespace nfconntrack {

// Events that were lost, and why (GapReason bits).
struct Loss {
  u8 reasons = 0;
  u64 kernel_drops = 0;
  u64 malformed = 0;
};

template <typename Record>
class RecordQueue {
 public:
  using Batch = RecordBatch<Record>;

  // A batch holds `batch_size` records; `limit` records may wait.
  RecordQueue(std::size_t batch_size, std::size_t limit, std::function<void()> wake);

  // --- for the producing thread ---

  // Waits until fewer than `limit` records wait; false once stopped.
  bool wait_for_room();
  // How many more may wait now; waits for the first for `timeout` ms.
  std::size_t room(int timeout);
  // Hands over a whole batch, beyond the limit if need be, and gives an empty one.
  std::unique_ptr<Batch> exchange(std::unique_ptr<Batch> batch);
  // Nothing follows; a failure tells why.
  void finish(Failure failure);

  // Holds the lock while single events are appended, and wakes the consumer at its end.
  class Appender {
   public:
    explicit Appender(RecordQueue& queue) : queue_(queue), lock_(queue.mutex_) {}
    ~Appender();
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    [[nodiscard]] bool full() const { return queue_.counts_.queued >= queue_.limit_; }
    // Where the next record goes; null, and counted as lost, when the queue is full. `time` is now.
    Batch* room(u64 time);
    // Counts a record as lost, as room() does when there is none.
    void refuse(u64 time);
    // Notes a loss at this place of the stream. Losses without an event between them become one
    // gap.
    void lose(const Loss& loss, u64 time);
    // The last event was appended whole.
    void appended(u64 time);

   private:
    RecordQueue& queue_;
    std::unique_lock<std::mutex> lock_;
  };

  // --- for the consumer ---

  // The next batch; null if there is none yet (then `wake` follows) or no more (see finished()).
  std::unique_ptr<Batch> take();
  void give_back(std::unique_ptr<Batch> batch);
  // True once finish() was called and everything is taken; `failure` is what it was given.
  bool finished(Failure& failure);
  // Ends waiting on both sides for good.
  void stop();

  struct Counts {
    u64 queued = 0;
    u64 queue_drops = 0;
    u64 gaps = 0;
  };
  [[nodiscard]] Counts counts();

 private:
  Batch& open_batch();
  void flush_gap();
  std::unique_ptr<Batch> spare();

  const std::size_t batch_size_;
  const std::size_t limit_;
  const std::function<void()> wake_;

  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<std::unique_ptr<Batch>> batches_;
  std::vector<std::unique_ptr<Batch>> spares_;
  GapRecord gap_{};
  u64 last_event_ = 0;
  Counts counts_;
  Failure failure_;
  bool finished_ = false;
  bool stopped_ = false;
  bool armed_ = false;  // the consumer found nothing and wants to be woken
};

using FlowQueue = RecordQueue<FlowRecord>;

}  // namespace nfconntrack
