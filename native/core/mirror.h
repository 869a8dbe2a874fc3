// The kernel's table, followed: a dump to begin with, events from then on, and a dump again where
// events were lost.
//
// Why it holds neither a hole nor a ghost
//
// A flow is identified by its original tuple, its zone and its id; "known" means in our table.
// Facts of the kernel (Linux 6.18): a flow is in its table before its NEW event is sent, has
// IPS_DYING and its DESTROY event sent before it leaves the table, and events of one socket keep
// their order, but for two that two processors send at the same moment.
//
//  1. The event socket is joined before a dump is asked for. A flow that comes after the join
//     announces itself; one that was there before is listed, unless it goes first.
//  2. A listed flow that has IPS_DYING is not taken, nor one whose DESTROY event was read since the
//     dump began (gone_): it may have been listed before. Should it be another flow, of the same
//     tuple and id, its NEW event is on its way, or was read and made it known.
//  3. A listed flow whose events were read since the dump began keeps what these told
//     (PackedHead::told), and takes the rest from the dump: whichever of both is older, a change
//     between them has an event of its own, which is still to come.
//  4. A known flow that a whole dump did not list, and of which no event was read since the dump
//     began, is gone: it was in the kernel's table before the dump, or would have announced itself
//     since. It is removed after all events that were sent by the end of the dump were read, so
//     that a DESTROY event, which tells more, comes first.
//  5. When events were lost (a gap) 1 to 4 hold for a dump that begins behind the gap. A gap during
//     a dump lets the mirror be inconsistent until another dump has gone without one. One dump
//     runs, one may be due; how often follows from how long they take, so that a storm of gaps is
//     no storm of dumps.
//  6. A dump over a table that is hashed anew may miss flows, so that one with another number of
//     buckets at its end than at its beginning removes nothing and is made again.
//  7. Two processors may send NEW or UPDATE of a flow behind its DESTROY. An event that makes a
//     flow known in a way that this could be is a suspicion (suspects_): the kernel is asked for
//     the flow a moment later.
//  8. Flows that never announce anything (made while nobody listened, nf_conntrack_events=2) are
//     found, and found gone, by a dump from time to time.
//
// Lifetime rules
// 1. The thread belongs to the Mirror; stop() ends and joins it, as the destructor does.
// 2. The table and the listeners are under one mutex, held for 64 events at the most, or for a part
//    of the table (FlowTable::kParts).
// 3. Listeners are called with the mutex held, on the mirror's thread; remove_listener() returns
// when
//    none of its calls runs, and none follows.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "event_socket.h"
#include "flow_lister.h"
#include "flow_merge.h"
#include "flow_table.h"
#include "gone_flows.h"
#include "netns.h"
#include "record_reader.h"
#include "table_watch.h"
#include "thread.h"

namespace nfconntrack {

struct MirrorRequest {
  EventSocketRequest socket;
  // What may come to match, by what of a flow never changes: all that is kept.
  ListRequest list;
  // What is wanted of it, by all that is known; null: everything.
  std::shared_ptr<const Filter> filter;
  u64 max_flows = 0;
  u32 resync_interval = 0;  // ms between two dumps that nothing asks for; 0: none
};

struct MirrorStatistics {
  u64 flows = 0;
  u64 kept = 0;
  u64 bytes = 0;
  u64 received = 0;
  u64 filtered = 0;
  u64 malformed = 0;
  u64 kernel_drops = 0;
  u64 gaps = 0;
  u64 dumps = 0;
  u64 failed_dumps = 0;
  u64 synthetic = 0;
  u64 asked = 0;
  u64 last_dump = 0;  // ns since the epoch: when it began
  u32 receive_buffer = 0;
  bool reliable = false;
  bool dumping = false;
};

// What a flow was and is; null: it was not, is not there. `last` is what was known of it last, by
// the event of its end too.
struct FlowChange {
  const KnownFlow* before;
  const KnownFlow* after;
  const KnownFlow* last;
  bool synthetic;
  u64 time;
};

class MirrorListener {
 public:
  MirrorListener() = default;
  virtual ~MirrorListener() = default;
  MirrorListener(const MirrorListener&) = delete;
  MirrorListener& operator=(const MirrorListener&) = delete;

  virtual void changed(const FlowChange& change) = 0;
  // An event as the kernel sent it, before what it changes.
  virtual void announced(const FlowRecord& event, const Tail& tail) = 0;
  // The event that was announced is of a flow that is gone: another processor sent it too late.
  virtual void outdated(const KnownFlow& flow) = 0;
  virtual void lost(const Loss& loss, u64 time) = 0;
  // Nothing follows.
  virtual void ended(const Failure& failure) = 0;
};

class Mirror final : public FlowReader, private EventSink {
 public:
  Mirror(std::shared_ptr<const Netns> netns, MirrorRequest request, std::function<void()> wake);
  ~Mirror() override { Mirror::stop(); }

  Failure start() override;
  void stop() override;
  // Without batches: it tells how the mirror ended.
  [[nodiscard]] FlowQueue& queue() override { return queue_; }
  // True once the first dump is in the table; if it never will be, the queue is finished.
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool ended() const { return ended_; }

  // --- on any thread ---

  [[nodiscard]] bool consistent() const { return consistent_ && !ended_; }
  [[nodiscard]] std::size_t size() const { return visible_; }
  // Finds the flow of `key`'s original tuple, or of its reply tuple, in its zone.
  bool find(const FlowRecord& key, KnownFlow& flow);
  // Appends what `filter` matches (null: everything) of the parts from `part` on, until `batch` has
  // a batch's worth; false: there are no more parts.
  bool list(u32& part, const Filter* filter, FlowBatch& batch);
  [[nodiscard]] MirrorStatistics statistics();

  // False: it has ended.
  bool add_listener(MirrorListener* listener);
  void remove_listener(MirrorListener* listener);
  // Held while listeners are called, and for a listener's own use.
  [[nodiscard]] std::mutex& mutex() { return mutex_; }
  // With the mutex held: what is known of the flow with this original tuple.
  bool peek(const FlowKey& orig, KnownFlow& flow) const;

 private:
  using Handle = FlowTable::Handle;
  static constexpr Handle kNone = FlowTable::kNone;

  struct Suspect {
    FlowKey key;
    u32 id;
    u64 due;
  };

  Failure run();
  Failure open();
  Failure follow();
  Failure pump(std::size_t most);
  [[nodiscard]] int time_to_wait() const;
  void lose(const Loss& loss);

  void begin(u64 time) override;
  void end() override;
  void message(const Message& message) override;
  void malformed() override;
  void dropped(u64 count) override;

  void apply(const FlowRecord& event, const Tail& tail);
  void apply_destroy(const FlowRecord& event, const Tail& tail, Handle known, u64 identity);
  void apply_new(const FlowRecord& event, const Tail& tail, Handle known, u64 identity);
  void apply_update(const FlowRecord& event, const Tail& tail, Handle known, u64 identity);
  void ignore(const FlowRecord& event, const Tail& tail);
  void add_announced(const FlowRecord& event, const Tail& tail, bool synthetic);
  void merge(Handle handle, const FlowRecord& event, const Tail& tail);
  void suspect(const FlowKey& key, u32 id);
  Failure ask_for_suspects();
  Failure ask_for(const Suspect& suspect);

  Failure resync();
  Failure dump();
  void take_listed(const FlowBatch& batch);
  void take_listed(const FlowRecord& listed, const Tail& tail);
  void sweep();
  void plan_dump(u64 took);

  [[nodiscard]] bool is_wanted(const KnownFlow& flow) const;
  [[nodiscard]] u64 identity(const FlowKey& key, u32 id) const;
  [[nodiscard]] Handle find(const FlowRecord& key, const TupleRecord& tuple,
                            Direction direction) const;
  Handle add(const KnownFlow& flow, bool synthetic);
  void change(Handle handle, const KnownFlow& before, const KnownFlow& after, bool synthetic);
  void remove(Handle handle, const KnownFlow& known, const KnownFlow& last, bool synthetic);
  void remove_unannounced(Handle handle);
  void mark_listed(Handle handle);
  void mark_touched(Handle handle, u8 told);
  void tell(const FlowChange& change);
  void finish(const Failure& failure);

  const std::shared_ptr<const Netns> netns_;
  const MirrorRequest request_;
  const std::function<void()> wake_;
  FlowQueue queue_;
  StopEvent stop_;

  // Of the thread alone.
  EventSocket socket_;
  TableWatch watch_;
  NetlinkSocket dump_socket_;
  FlowBatch scratch_{1};
  KnownFlow before_;
  KnownFlow after_;
  GoneFlows gone_;
  std::vector<Suspect> suspects_;
  std::vector<Handle> handles_;
  std::unique_lock<std::mutex> held_;
  Failure failure_;       // what ends it, found out while a message was taken
  u64 time_ = 0;          // of what is being taken
  u64 dump_due_ = 0;      // monotonic ms; a dump that a gap asks for
  u64 interval_due_ = 0;  // one that the time asks for
  u64 backoff_ = 0;
  bool pending_ = true;  // a gap asks for a dump
  bool has_marks_ = false;
  bool rotten_ = false;  // what was destroyed during the dump is not known any more
  u8 dump_number_ = 0;

  std::mutex mutex_;
  FlowTable table_;
  std::vector<MirrorListener*> listeners_;

  std::atomic<bool> started_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> consistent_ = false;
  std::atomic<bool> dumping_ = false;
  std::atomic<u64> visible_ = 0;
  std::atomic<u64> received_ = 0;
  std::atomic<u64> filtered_ = 0;
  std::atomic<u64> malformed_ = 0;
  std::atomic<u64> gaps_ = 0;
  std::atomic<u64> dumps_ = 0;
  std::atomic<u64> failed_dumps_ = 0;
  std::atomic<u64> synthetic_ = 0;
  std::atomic<u64> asked_ = 0;
  std::atomic<u64> last_dump_ = 0;
  Thread thread_;
};

}  // namespace nfconntrack
