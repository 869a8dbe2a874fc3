#include "subscription.h"

#include <new>

#include "clock.h"
#include "ctnetlink.h"
#include "expectation_decoder.h"
#include "flow_decoder.h"
#include "flow_event.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

constexpr std::size_t kBatchSize = 1024;
// A wake-up costs more than an event. Events that follow each other faster than this are left to
// gather for as long, where the kernel has room for many times of what may come meanwhile.
constexpr int kPace = 1;  // ms
constexpr u64 kPaceNs = u64{kPace} * 1'000'000;
constexpr u32 kRoomyBuffer = 4U << 20;

// Messages that announce a change of a flow or of an expectation, and how they are read. A message
// that follows neither of the two ways the kernel announces a change is not an event.

bool decode(Bytes payload, FlowRecord& record, Tail& tail) {
  return decode_flow(payload, record, tail);
}

bool decode(Bytes payload, ExpectationRecord& record, Tail& tail) {
  return decode_expectation(payload, record, tail);
}

bool is_wanted(const Filter* filter, const FlowRecord& record, const Tail& tail) {
  return filter == nullptr || filter->matches(record, tail);
}

bool is_wanted(const Filter*, const ExpectationRecord&, const Tail&) { return true; }

template <typename Record>
struct Messages;

template <>
struct Messages<FlowRecord> {
  static bool is_event(u16 type) { return is_flow_event(type); }
  static u8 kind_of(const nlmsghdr& header) { return flow_event_kind(header); }
};

template <>
struct Messages<ExpectationRecord> {
  static constexpr u16 kNew = message_type(kSubsystemExpectation, kExpNew);
  static constexpr u16 kDelete = message_type(kSubsystemExpectation, kExpDelete);

  static bool is_event(u16 type) { return type == kNew || type == kDelete; }
  static u8 kind_of(const nlmsghdr& header) {
    return header.nlmsg_type == kDelete ? Kind::kExpectationDestroy : Kind::kExpectationNew;
  }
};

}  // namespace

template <typename Record>
Subscription<Record>::Subscription(std::shared_ptr<const Netns> netns, SubscriptionRequest request,
                                   std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(std::move(request)),
      wake_(wake),
      queue_(kBatchSize, request_.queue_limit, std::move(wake)) {}

template <typename Record>
Subscription<Record>::~Subscription() {
  Subscription<Record>::stop();
}

template <typename Record>
Failure Subscription<Record>::start() {
  if (Failure failure = stop_.open(); !failure.ok()) return failure;
  return thread_.start("nfct-events", [this] {
    queue_.finish(run());
    if (!started_) wake_();
  });
}

template <typename Record>
void Subscription<Record>::stop() {
  stop_.set();
  queue_.stop();
  thread_.join();
}

template <typename Record>
SubscriptionStatistics Subscription<Record>::statistics() {
  const typename Queue::Counts counts = queue_.counts();
  return {received_,   filtered_,     socket_.kernel_drops(),   counts.queue_drops, malformed_,
          counts.gaps, counts.queued, socket_.receive_buffer(), socket_.reliable()};
}

template <typename Record>
Failure Subscription<Record>::run() {
  try {
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (request_.socket.reliable) {
      if (Failure failure = watch_.open(); !failure.ok()) return failure;
    }
    if (Failure failure = socket_.open(request_.socket); !failure.ok()) return failure;
    started_ = true;
    wake_();
    return read();
  } catch (const std::bad_alloc&) {
    appender_.reset();
    return Failure::of(ENOMEM, "malloc");
  }
}

template <typename Record>
Failure Subscription<Record>::read() {
  Failure failure;
  EventSocket::Reading reading = EventSocket::Reading::kEmpty;
  while (!stop_.is_set()) {
    if (reading == EventSocket::Reading::kEmpty && !wait()) break;
    const std::size_t most = room();
    if (most == 0) continue;
    reading = socket_.read(*this, stop_, failure, most);
    if (reading == EventSocket::Reading::kFailed) return failure;
  }
  return {};
}

// Waits for an event; false at the end.
template <typename Record>
bool Subscription<Record>::wait() {
  if (busy_ && !stop_.wait(kPace)) return false;
  const u64 began = now();
  if (!stop_.wait_readable(socket_.fd())) return false;
  busy_ = socket_.receive_buffer() >= kRoomyBuffer && now() - began < kPaceNs;
  return true;
}

// How much may be read; a queue that is full is no reason to wait unless the kernel does too.
template <typename Record>
std::size_t Subscription<Record>::room() {
  constexpr int kPatience = 50;  // ms
  if (!socket_.reliable()) return EventSocket::kPiece;
  if (watch_.is_filling()) {
    socket_.leave_reliable();
    return EventSocket::kPiece;
  }
  return queue_.room(kPatience);
}

template <typename Record>
void Subscription<Record>::begin(u64 time) {
  time_ = time;
  appender_.emplace(queue_);
}

template <typename Record>
void Subscription<Record>::end() {
  appender_.reset();
}

template <typename Record>
void Subscription<Record>::message(const Message& message) {
  if (!Messages<Record>::is_event(message.header.nlmsg_type)) return;
  ++received_;
  RecordBatch<Record>* batch = appender_->room(time_);
  if (batch == nullptr) return;
  Record& record = batch->append();
  if (!decode(message.payload, record, batch->tail())) {
    batch->tail().truncate(record.tailOffset);
    batch->drop_last();
    ++malformed_;
    appender_->lose({.reasons = GapReason::kMalformed, .malformed = 1}, time_);
    return;
  }
  if (!is_wanted(request_.filter.get(), record, batch->tail())) {
    ++filtered_;
    batch->tail().truncate(record.tailOffset);
    batch->drop_last();
    return;
  }
  record.kind = Messages<Record>::kind_of(message.header);
  record.portid = message.header.nlmsg_pid;
  record.time = time_;
  record.presence |= Record::kHasTime;
  appender_->appended(time_);
}

template <typename Record>
void Subscription<Record>::malformed() {
  ++received_;
  ++malformed_;
  appender_->lose({.reasons = GapReason::kMalformed, .malformed = 1}, time_);
}

template <typename Record>
void Subscription<Record>::dropped(u64 count) {
  appender_->lose({.reasons = GapReason::kOverrun, .kernel_drops = count}, time_);
}

template class Subscription<FlowRecord>;
template class Subscription<ExpectationRecord>;

}  // namespace nfconntrack
