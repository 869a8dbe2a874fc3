// What changes in a mirror, for one consumer: its changes, or the kernel's events with what the
// mirror found to be missing behind a gap.
//
// A consumer who is slow loses nothing: changes for which the queue has no room are put together,
// flow by flow. The stream then goes from what the consumer was last told of a flow to what the
// flow is, which may be nothing.
//
// Lifetime rules
// 1. It has no thread: the mirror's calls it, until stop() has returned.
// 2. The mirror lives as long as the stream.
#pragma once

#include <unordered_map>

#include "mirror.h"

namespace nfconntrack {

struct ChangeStreamRequest {
  std::size_t queue_limit = 0;  // changes
  // Events instead of changes: of these kinds (bit n: Kind n), and of what the filter matches.
  u32 event_kinds = 0;
  std::shared_ptr<const Filter> filter;
};

class ChangeStream final : public FlowReader, private MirrorListener {
 public:
  struct Counts {
    u64 received = 0;  // events or changes
    u64 filtered = 0;
    u64 synthetic = 0;  // put into the stream without an announcement
    u64 coalesced = 0;  // put together with others, for want of room
    FlowQueue::Counts queue;
  };

  ChangeStream(std::shared_ptr<Mirror> mirror, ChangeStreamRequest request,
               std::function<void()> wake);
  ~ChangeStream() override { ChangeStream::stop(); }

  // ECANCELED: the mirror has ended.
  Failure start() override;
  void stop() override;
  [[nodiscard]] FlowQueue& queue() override { return queue_; }
  void refill() override;
  [[nodiscard]] Counts counts();

 private:
  using Appender = FlowQueue::Appender;
  struct HashKey {
    std::size_t operator()(const FlowKey& key) const { return key.hash(0); }
  };
  // What the consumer knows of a flow; empty: that it is not there.
  using Packed = std::vector<u8>;

  void changed(const FlowChange& change) override;
  void announced(const FlowRecord& event, const Tail& tail) override;
  void outdated(const KnownFlow& flow) override;
  void lost(const Loss& loss, u64 time) override;
  void ended(const Failure& failure) override;

  [[nodiscard]] bool is_of_events() const { return request_.event_kinds != 0; }
  [[nodiscard]] bool is_wanted(u8 kind, const FlowRecord& flow, const Tail& tail) const;
  [[nodiscard]] bool is_pending(const FlowRecord& flow) const;
  void coalesce(const FlowChange& change);
  void append(Appender& appender, const FlowChange& change);
  void append_coalesced(Appender& appender, const FlowKey& key, const Packed& told);

  const std::shared_ptr<Mirror> mirror_;
  const ChangeStreamRequest request_;
  FlowQueue queue_;
  std::unordered_map<FlowKey, Packed, HashKey> pending_;
  Counts counts_;
  // The last event is in the stream, or is not wanted there. What one for which there was no room
  // changes is coalesced.
  bool announced_ = false;
};

}  // namespace nfconntrack
