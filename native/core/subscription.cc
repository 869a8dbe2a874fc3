#include "subscription.h"

#include <algorithm>
#include <array>
#include <new>

#include "clock.h"
#include "ctnetlink.h"
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

// A message that follows neither of the two ways the kernel announces a change is not an event.
bool is_event(u16 type) {
  return type == message_type(kSubsystemFlow, kNew) ||
         type == message_type(kSubsystemFlow, kDelete);
}

u8 kind_of(const nlmsghdr& header) {
  if (header.nlmsg_type == message_type(kSubsystemFlow, kDelete)) return Kind::kDestroy;
  return (header.nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL)) != 0 ? Kind::kNew : Kind::kUpdate;
}

}  // namespace

// The arguments of recvmmsg(), made once.
struct Subscription::Datagrams {
  Datagrams() {
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

Subscription::Subscription(std::shared_ptr<const Netns> netns, SubscriptionRequest request,
                           std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(request),
      wake_(wake),
      queue_(kBatchSize, request.queue_limit, std::move(wake)) {}

Subscription::~Subscription() { Subscription::stop(); }

Failure Subscription::start() {
  if (Failure failure = stop_.open(); !failure.ok()) return failure;
  return thread_.start("nfct-events", [this] {
    queue_.finish(run());
    if (!started_) wake_();
  });
}

void Subscription::stop() {
  stop_.set();
  queue_.stop();
  thread_.join();
}

SubscriptionStatistics Subscription::statistics() {
  const FlowQueue::Counts counts = queue_.counts();
  return {received_,   kernel_drops_, counts.queue_drops, malformed_,
          counts.gaps, counts.queued, receive_buffer_};
}

Failure Subscription::run() {
  try {
    datagrams_ = std::make_unique<Datagrams>();
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (Failure failure = subscribe(); !failure.ok()) return failure;
    started_ = true;
    wake_();
    return read();
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

Failure Subscription::subscribe() {
  if (Failure failure = socket_.open(); !failure.ok()) return failure;
  receive_buffer_ = socket_.set_receive_buffer(request_.receive_buffer);
  for (int group = kGroupNew; group <= kGroupExpDestroy; ++group) {
    if ((request_.groups & (1U << group)) == 0) continue;
    if (Failure failure = socket_.join(group); !failure.ok()) return failure;
  }
  return {};
}

Failure Subscription::read() {
  Reading reading = Reading::kEmpty;
  while (!stop_.is_set()) {
    if (reading == Reading::kEmpty && !stop_.wait_readable(socket_.fd())) break;
    reading = reading == Reading::kOverrun ? read_overrun() : read_queued(kDatagrams);
    if (reading == Reading::kFailed) return failure_;
  }
  return {};
}

Subscription::Reading Subscription::read_queued(std::size_t count) {
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
  FlowQueue::Appender appender(queue_);
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

// The queue is as it was at the overrun, since the kernel adds nothing before it has been empty: it
// only shrinks by what we read. Most of it is read in large pieces that cannot reach its end, the
// last messages one by one, so that what arrives behind the gap is not taken for what stood before.
Subscription::Reading Subscription::read_overrun() {
  Reading reading = Reading::kMore;
  u32 left = socket_.memory().queued;
  while (left > 0 && !stop_.is_set()) {
    const std::size_t safe = std::clamp<std::size_t>(left / kMaxCharge, 1, kDatagrams);
    reading = read_queued(safe);
    if (reading != Reading::kMore) break;
    const u32 queued = socket_.memory().queued;
    if (queued >= left) break;  // it was empty in between
    left = queued;
  }
  if (reading == Reading::kFailed) return reading;
  note_drops();
  // ENOBUFS here is the next overrun already: the queue was emptied and has filled up again.
  return reading;
}

void Subscription::note_drops() {
  const u32 drops = socket_.memory().drops;
  const u32 missing = drops - drops_seen_;  // the counter wraps around
  drops_seen_ = drops;
  kernel_drops_ += missing;
  FlowQueue::Appender(queue_).lose({.reasons = GapReason::kOverrun, .kernel_drops = missing},
                                   now());
}

void Subscription::take(Bytes datagram, u64 time, FlowQueue::Appender& appender) {
  MessageReader reader(datagram);
  while (reader.next()) {
    if (is_event(reader.message().header.nlmsg_type)) {
      take_event(reader.message(), time, appender);
    }
  }
  if (reader.complete()) return;
  ++received_;
  lose_malformed(time, appender);
}

void Subscription::take_event(const Message& message, u64 time, FlowQueue::Appender& appender) {
  ++received_;
  FlowBatch* batch = appender.room(time);
  if (batch == nullptr) return;
  FlowRecord& record = batch->append();
  if (!decode_flow(message.payload, record, batch->tail())) {
    batch->tail().truncate(record.tailOffset);
    batch->drop_last();
    lose_malformed(time, appender);
    return;
  }
  record.kind = kind_of(message.header);
  record.portid = message.header.nlmsg_pid;
  record.time = time;
  record.presence |= FlowRecord::kHasTime;
  appender.appended(time);
}

void Subscription::lose_malformed(u64 time, FlowQueue::Appender& appender) {
  ++malformed_;
  appender.lose({.reasons = GapReason::kMalformed, .malformed = 1}, time);
}

}  // namespace nfconntrack
