// The socket that the kernel's events come in by, and what is known of those it lost.
//
// How events get lost, and what is done about it
// - The kernel could not queue an event (the socket's receive buffer was full). It then drops every
//   event until the reader has read all that is queued, and reports ENOBUFS once, before the queued
//   messages. The gap therefore stands behind the last message that was queued at the overrun; the
//   reader finds that message by asking whether the kernel has gone on (read_overrun()).
//   SO_MEMINFO's drop counter tells how many events are missing.
// - In reliable mode (NETLINK_BROADCAST_ERROR) the kernel keeps what it could not queue and tries
//   again; its drop counter then counts attempts, and nothing is lost.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "message.h"
#include "netlink_socket.h"
#include "stop_event.h"

namespace nfconntrack {

struct EventSocketRequest {
  u32 groups = 0;              // bit n: ctnetlink::Group n
  u32 receive_buffer = 0;      // bytes
  u32 max_receive_buffer = 0;  // what it may grow to when it was too small
  // What the kernel drops before it queues a message; empty: nothing. See attach_filter().
  std::vector<u8> socket_filter;
  bool reliable = false;
};

// Takes what was read, in its order.
class EventSink {
 public:
  EventSink() = default;
  virtual ~EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;

  // Around the calls for one piece of reading; `time` is when it was read, in ns since the epoch.
  virtual void begin(u64 time) = 0;
  virtual void end() = 0;
  virtual void message(const Message& message) = 0;
  // A datagram, or the rest of one, that is no message.
  virtual void malformed() = 0;
  // The kernel dropped `count` events here.
  virtual void dropped(u64 count) = 0;
};

class EventDatagrams;

class EventSocket {
 public:
  enum class Reading { kMore, kEmpty, kFailed };
  static constexpr std::size_t kPiece = 64;

  EventSocket();
  ~EventSocket();
  EventSocket(const EventSocket&) = delete;
  EventSocket& operator=(const EventSocket&) = delete;

  // In the calling thread's network namespace.
  Failure open(const EventSocketRequest& request);

  // Reads what is there, one piece of `most` messages at a time, without waiting; `failure` is set
  // with kFailed.
  Reading read(EventSink& sink, const StopEvent& stop, Failure& failure, std::size_t most = kPiece);

  // Gives up the reliable mode: what finds no room is lost from here on, and told of.
  void leave_reliable();

  [[nodiscard]] int fd() const { return socket_.fd(); }
  // May be asked on any thread.
  [[nodiscard]] u64 kernel_drops() const { return kernel_drops_; }
  [[nodiscard]] u32 receive_buffer() const { return receive_buffer_; }
  [[nodiscard]] bool reliable() const { return reliable_; }

 private:
  enum class Piece { kMore, kEmpty, kOverrun, kFailed };

  Piece read_queued(std::size_t count, EventSink& sink, Failure& failure);
  Piece read_overrun(EventSink& sink, const StopEvent& stop, Failure& failure);
  static void take(Bytes datagram, EventSink& sink);
  void note_drops(EventSink& sink);
  void grow();

  NetlinkSocket socket_;
  std::unique_ptr<EventDatagrams> datagrams_;
  u32 max_receive_buffer_ = 0;
  u32 drops_seen_ = 0;
  bool overrun_ = false;
  std::atomic<u64> kernel_drops_ = 0;
  std::atomic<u32> receive_buffer_ = 0;
  std::atomic<bool> reliable_ = false;
};

}  // namespace nfconntrack
