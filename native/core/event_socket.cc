#include "event_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "clock.h"
#include "ctnetlink.h"

namespace nfconntrack {
namespace {

constexpr std::size_t kDatagrams = EventSocket::kPiece;
// Events have 150 to 300 bytes; the largest attribute, a security context, may have 4 KiB.
constexpr std::size_t kDatagramSize = 8192;
// More than the kernel charges for any one event (1,280 bytes for most; SO_MEMINFO's `queued`).
constexpr u32 kMaxCharge = 16384;

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

EventSocket::EventSocket() = default;
EventSocket::~EventSocket() = default;

Failure EventSocket::open(const EventSocketRequest& request) {
  datagrams_ = std::make_unique<EventDatagrams>();
  if (Failure failure = socket_.open(); !failure.ok()) return failure;
  receive_buffer_ = socket_.set_receive_buffer(request.receive_buffer);
  max_receive_buffer_ = request.max_receive_buffer;
  if (request.reliable) {
    if (Failure failure = socket_.set_reliable(true); !failure.ok()) return failure;
    reliable_ = true;
  }
  // Where it cannot be attached (net.core.optmem_max), all of it is matched here, as it is anyway.
  if (!request.socket_filter.empty()) (void)socket_.attach_filter(request.socket_filter);
  for (int group = ctnetlink::kGroupNew; group <= ctnetlink::kGroupExpDestroy; ++group) {
    if ((request.groups & (1U << group)) == 0) continue;
    if (Failure failure = socket_.join(group); !failure.ok()) return failure;
  }
  return {};
}

auto EventSocket::read(EventSink& sink, const StopEvent& stop, Failure& failure, std::size_t most)
    -> Reading {
  const bool overrun = std::exchange(overrun_, false);
  const std::size_t count = std::min(most, kDatagrams);
  switch (overrun ? read_overrun(sink, stop, failure) : read_queued(count, sink, failure)) {
    case Piece::kEmpty:
      return Reading::kEmpty;
    case Piece::kFailed:
      return Reading::kFailed;
    case Piece::kOverrun:
      overrun_ = true;
      return Reading::kMore;
    default:
      return Reading::kMore;
  }
}

void EventSocket::leave_reliable() {
  if (!reliable_) return;
  (void)socket_.set_reliable(false);
  // Attempts until here were no losses.
  drops_seen_ = socket_.memory().drops;
  reliable_ = false;
}

auto EventSocket::read_queued(std::size_t count, EventSink& sink, Failure& failure) -> Piece {
  datagrams_->reset(count);
  const int received = recvmmsg(socket_.fd(), datagrams_->headers.data(),
                                static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  if (received < 0) {
    if (errno == EAGAIN) return Piece::kEmpty;
    if (errno == ENOBUFS) return Piece::kOverrun;
    if (errno == EINTR) return Piece::kMore;
    failure = Failure::last("recvmmsg");
    return Piece::kFailed;
  }
  sink.begin(now());
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
    if (!datagrams_->from_kernel(i)) continue;
    if (datagrams_->cut(i)) {
      sink.malformed();
    } else {
      take(datagrams_->bytes(i), sink);
    }
  }
  sink.end();
  return Piece::kMore;
}

// The queue is as it was at the overrun, since the kernel adds nothing before it has been empty.
// Most of it is read in large pieces that cannot reach its end, the rest message by message, asking
// after each whether the kernel has gone on: so that what arrives behind the gap is not taken for
// what stood before.
auto EventSocket::read_overrun(EventSink& sink, const StopEvent& stop, Failure& failure) -> Piece {
  Piece piece = Piece::kMore;
  while (piece == Piece::kMore && !stop.is_set() && socket_.is_congested()) {
    // A delivery that fails is charged for a moment too; a piece is small enough to allow for that.
    const u32 queued = socket_.memory().queued;
    piece = read_queued(std::clamp<std::size_t>(queued / kMaxCharge, 1, kDatagrams), sink, failure);
  }
  if (piece == Piece::kFailed) return piece;
  note_drops(sink);
  grow();
  // ENOBUFS here is the next overrun already: the queue was emptied and has filled up again.
  return piece;
}

void EventSocket::take(Bytes datagram, EventSink& sink) {
  MessageReader reader(datagram);
  while (reader.next()) sink.message(reader.message());
  if (!reader.complete()) sink.malformed();
}

void EventSocket::note_drops(EventSink& sink) {
  const u32 drops = socket_.memory().drops;
  const u32 missing = drops - drops_seen_;  // the counter wraps around
  drops_seen_ = drops;
  sink.begin(now());
  // A reliable socket is told ENOBUFS only where the kernel had no memory for a message.
  sink.dropped(reliable_ ? 0 : missing);
  // Whoever sees them counted sees what follows from them too.
  if (!reliable_) kernel_drops_ += missing;
  sink.end();
}

void EventSocket::grow() {
  const u32 current = receive_buffer_;
  if (current >= max_receive_buffer_) return;
  const u32 wanted = static_cast<u32>(std::min<u64>(u64{current} * 2, max_receive_buffer_));
  const u32 granted = socket_.set_receive_buffer(wanted);
  receive_buffer_ = granted;
  // net.core.rmem_max, for who may not exceed it: more will not be granted later either.
  if (granted <= current) max_receive_buffer_ = 0;
}

}  // namespace nfconntrack
