// The kernel's events of flows or of expectations, read on a thread of its own.
//
// How events get lost, and what is done about it
// - The kernel could not queue an event (the socket's receive buffer was full). It then drops every
//   event until the reader has read all that is queued, and reports ENOBUFS once, before the queued
//   messages. The gap therefore stands behind the last message that was queued at the overrun; the
//   reader finds that message by asking whether the kernel has gone on (read_overrun()).
//   SO_MEMINFO's drop counter tells how many events are missing.
// - The queue to the consumer was full. Those events are counted one by one, where they would have
//   stood.
// - A message could not be decoded, which no kernel known does.
//
// Lifetime rules
// 1. The thread belongs to the Subscription; stop() ends and joins it, as the destructor does.
// 2. `wake` is called on that thread: once when it is known whether the subscription started, and
// as
//    RecordQueue has it.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>

#include "filter.h"
#include "message.h"
#include "netlink_socket.h"
#include "netns.h"
#include "record_reader.h"
#include "stop_event.h"
#include "thread.h"

namespace nfconntrack {

struct SubscriptionRequest {
  u32 groups = 0;               // bit n: ctnetlink::Group n
  u32 receive_buffer = 0;       // bytes
  std::size_t queue_limit = 0;  // events
  // What is wanted, of flows; null: everything.
  std::shared_ptr<const Filter> filter;
  // What of it the kernel drops before it queues a message; empty: nothing. See attach_filter().
  std::vector<u8> socket_filter;
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
};

class EventDatagrams;

template <typename Record>
class Subscription final : public RecordReader<Record> {
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
  enum class Reading { kMore, kEmpty, kOverrun, kFailed };
  using Appender = typename Queue::Appender;

  Failure run();
  Failure subscribe();
  Failure read();
  Reading read_queued(std::size_t count);
  Reading read_overrun();
  void note_drops();
  void take(Bytes datagram, u64 time, Appender& appender);
  void take_event(const Message& message, u64 time, Appender& appender);
  void lose_malformed(u64 time, Appender& appender);

  const std::shared_ptr<const Netns> netns_;
  const SubscriptionRequest request_;
  const std::function<void()> wake_;
  Queue queue_;
  NetlinkSocket socket_;
  StopEvent stop_;
  std::unique_ptr<EventDatagrams> datagrams_;
  Failure failure_;

  u32 drops_seen_ = 0;
  std::atomic<bool> started_ = false;
  std::atomic<u64> received_ = 0;
  std::atomic<u64> filtered_ = 0;
  std::atomic<u64> kernel_drops_ = 0;
  std::atomic<u64> malformed_ = 0;
  std::atomic<u32> receive_buffer_ = 0;
  Thread thread_;
};

}  // namespace nfconntrack
