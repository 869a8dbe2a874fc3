// The kernel's events of flows or of expectations, read on a thread of its own.
//
// Loss
// - The kernel's is placed and counted by EventSocket.
// - The queue to the consumer was full. Those events are counted one by one, where they would have
//   stood. In reliable mode nothing is read while it is full: events then wait in the kernel, until
//   they take too much of the table (TableWatch); the mode is left then.
// - A message could not be decoded, which no kernel known does.
//
// Lifetime rules
// 1. The thread belongs to the Subscription; stop() ends and joins it, as the destructor does.
// 2. `wake` is called on that thread: once when it is known whether the subscription started, and
// as
//    RecordQueue has it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "event_socket.h"
#include "filter.h"
#include "netns.h"
#include "record_reader.h"
#include "stop_event.h"
#include "table_watch.h"
#include "thread.h"

namespace nfconntrack {

struct SubscriptionRequest {
  EventSocketRequest socket;
  std::size_t queue_limit = 0;  // events
  // What is wanted, of flows; null: everything.
  std::shared_ptr<const Filter> filter;
};

struct SubscriptionStatistics {
  u64 received = 0;
  u64 filtered = 0;
  u64 kernel_drops = 0;
  u64 queue_drops = 0;
  u64 malformed = 0;
  u64 gaps = 0;
  u64 queued = 0;
  u32 receive_buffer = 0;
  bool reliable = false;
};

template <typename Record>
class Subscription final : public RecordReader<Record>, private EventSink {
 public:
  using Queue = RecordQueue<Record>;

  Subscription(std::shared_ptr<const Netns> netns, SubscriptionRequest request,
               std::function<void()> wake);
  ~Subscription() override;

  Failure start() override;
  void stop() override;
  // True once the kernel delivers events; if it never will, the queue is finished with the reason.
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] Queue& queue() override { return queue_; }
  [[nodiscard]] SubscriptionStatistics statistics();

 private:
  using Appender = typename Queue::Appender;

  Failure run();
  Failure read();
  bool wait();
  std::size_t room();
  void begin(u64 time) override;
  void end() override;
  void message(const Message& message) override;
  void malformed() override;
  void dropped(u64 count) override;

  const std::shared_ptr<const Netns> netns_;
  const SubscriptionRequest request_;
  const std::function<void()> wake_;
  Queue queue_;
  EventSocket socket_;
  TableWatch watch_;
  StopEvent stop_;

  std::optional<Appender> appender_;
  u64 time_ = 0;
  bool busy_ = false;  // events have followed each other closely
  std::atomic<bool> started_ = false;
  std::atomic<u64> received_ = 0;
  std::atomic<u64> filtered_ = 0;
  std::atomic<u64> malformed_ = 0;
  Thread thread_;
};

}  // namespace nfconntrack
