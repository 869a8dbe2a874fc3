#include "subscription.h"

#include <algorithm>
#include <array>
#include <new>

#include "clock.h"
#include "ctnetlink.h"
#include "expectation_decoder.h"
#include "flow_decoder.h"

namespace nfconntrack {
namespace {

using namespace ctnetlink;

constexpr std::size_t kBatchSize = 1024;
constexpr std::size_t kDatagrams = 64;
// Events have 150 to 300 bytes; the largest attribute, a security context, may have 4 KiB.
constexpr std::size_t kDatagramSize = 8192;
// More than the kernel charges for any one event (1,280 bytes for most; SO_MEMINFO's `queued`).
constexpr u32 kMaxCharge = 16384;

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
  static constexpr u16 kNew = message_type(kSubsystemFlow, ctnetlink::kNew);
  static constexpr u16 kDelete = message_type(kSubsystemFlow, ctnetlink::kDelete);

  static u8 kind_of(const nlmsghdr& header) {
    if (header.nlmsg_type == kDelete) return Kind::kDestroy;
    return (header.nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL)) != 0 ? Kind::kNew : Kind::kUpdate;
  }
};

template <>
struct Messages<ExpectationRecord> {
  static constexpr u16 kNew = message_type(kSubsystemExpectation, kExpNew);
  static constexpr u16 kDelete = message_type(kSubsystemExpectation, kExpDelete);

  static u8 kind_of(const nlmsghdr& header) {
    return header.nlmsg_type == kDelete ? Kind::kExpectationDestroy : Kind::kExpectationNew;
  }
};

template <typename Record>
bool is_event(u16 type) {
  return type == Messages<Record>::kNew || type == Messages<Record>::kDelete;
}

}  // namespace

// The arguments of recvmmsg(), made once.
class EventDatagrams {
 public:
  EventDatagrams() {
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      parts[i] = {buffers[i].data(), kDatagramSize};
      headers[i].msg_hdr.msg_name = &senders[i];
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
  }
  // recvmmsg() writes what it found over what was asked.
  void reset(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      headers[i].msg_hdr.msg_namelen = sizeof senders[i];
      headers[i].msg_hdr.msg_flags = 0;
    }
  }
  [[nodiscard]] bool from_kernel(std::size_t i) const {
    return headers[i].msg_hdr.msg_namelen == sizeof senders[i] && senders[i].nl_pid == 0;
  }
  [[nodiscard]] bool cut(std::size_t i) const {
    return (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }
  [[nodiscard]] Bytes bytes(std::size_t i) const { return {buffers[i].data(), headers[i].msg_len}; }

  std::array<std::array<u8, kDatagramSize>, kDatagrams> buffers;
  std::array<sockaddr_nl, kDatagrams> senders{};
  std::array<iovec, kDatagrams> parts{};
  std::array<mmsghdr, kDatagrams> headers{};
};

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
  return {received_,  filtered_,   kernel_drops_, counts.queue_drops,
          malformed_, counts.gaps, counts.queued, receive_buffer_};
}

template <typename Record>
Failure Subscription<Record>::run() {
  try {
    datagrams_ = std::make_unique<EventDatagrams>();
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (Failure failure = subscribe(); !failure.ok()) return failure;
    started_ = true;
    wake_();
    return read();
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

template <typename Record>
Failure Subscription<Record>::subscribe() {
  if (Failure failure = socket_.open(); !failure.ok()) return failure;
  receive_buffer_ = socket_.set_receive_buffer(request_.receive_buffer);
  // Where it cannot be attached (net.core.optmem_max), all of it is matched here, as it is anyway.
  if (!request_.socket_filter.empty()) (void)socket_.attach_filter(request_.socket_filter);
  for (int group = kGroupNew; group <= kGroupExpDestroy; ++group) {
    if ((request_.groups & (1U << group)) == 0) continue;
    if (Failure failure = socket_.join(group); !failure.ok()) return failure;
  }
  return {};
}

template <typename Record>
Failure Subscription<Record>::read() {
  Reading reading = Reading::kEmpty;
  while (!stop_.is_set()) {
    if (reading == Reading::kEmpty && !stop_.wait_readable(socket_.fd())) break;
    reading = reading == Reading::kOverrun ? read_overrun() : read_queued(kDatagrams);
    if (reading == Reading::kFailed) return failure_;
  }
  return {};
}

template <typename Record>
auto Subscription<Record>::read_queued(std::size_t count) -> Reading {
  datagrams_->reset(count);
  const int received = recvmmsg(socket_.fd(), datagrams_->headers.data(),
                                static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  if (received < 0) {
    if (errno == EAGAIN) return Reading::kEmpty;
    if (errno == ENOBUFS) return Reading::kOverrun;
    if (errno == EINTR) return Reading::kMore;
    failure_ = Failure::last("recvmmsg");
    return Reading::kFailed;
  }
  const u64 time = now();
  Appender appender(queue_);
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
    if (!datagrams_->from_kernel(i)) continue;
    if (datagrams_->cut(i)) {
      ++received_;
      lose_malformed(time, appender);
    } else {
      take(datagrams_->bytes(i), time, appender);
    }
  }
  return Reading::kMore;
}

// The queue is as it was at the overrun, since the kernel adds nothing before it has been empty.
// Most of it is read in large pieces that cannot reach its end, the rest message by message, asking
// after each whether the kernel has gone on: so that what arrives behind the gap is not taken for
// what stood before.
template <typename Record>
auto Subscription<Record>::read_overrun() -> Reading {
  Reading reading = Reading::kMore;
  while (reading == Reading::kMore && !stop_.is_set() && socket_.is_congested()) {
    // A delivery that fails is charged for a moment too; a piece is small enough to allow for that.
    const u32 queued = socket_.memory().queued;
    reading = read_queued(std::clamp<std::size_t>(queued / kMaxCharge, 1, kDatagrams));
  }
  if (reading == Reading::kFailed) return reading;
  note_drops();
  // ENOBUFS here is the next overrun already: the queue was emptied and has filled up again.
  return reading;
}

template <typename Record>
void Subscription<Record>::note_drops() {
  const u32 drops = socket_.memory().drops;
  const u32 missing = drops - drops_seen_;  // the counter wraps around
  drops_seen_ = drops;
  kernel_drops_ += missing;
  Appender(queue_).lose({.reasons = GapReason::kOverrun, .kernel_drops = missing}, now());
}

template <typename Record>
void Subscription<Record>::take(Bytes datagram, u64 time, Appender& appender) {
  MessageReader reader(datagram);
  while (reader.next()) {
    if (is_event<Record>(reader.message().header.nlmsg_type)) {
      take_event(reader.message(), time, appender);
    }
  }
  if (reader.complete()) return;
  ++received_;
  lose_malformed(time, appender);
}

template <typename Record>
void Subscription<Record>::take_event(const Message& message, u64 time, Appender& appender) {
  ++received_;
  RecordBatch<Record>* batch = appender.room(time);
  if (batch == nullptr) return;
  Record& record = batch->append();
  if (!decode(message.payload, record, batch->tail())) {
    batch->tail().truncate(record.tailOffset);
    batch->drop_last();
    lose_malformed(time, appender);
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
  record.time = time;
  record.presence |= Record::kHasTime;
  appender.appended(time);
}

template <typename Record>
void Subscription<Record>::lose_malformed(u64 time, Appender& appender) {
  ++malformed_;
  appender.lose({.reasons = GapReason::kMalformed, .malformed = 1}, time);
}

template class Subscription<FlowRecord>;
template class Subscription<ExpectationRecord>;

}  // namespace nfconntrack
