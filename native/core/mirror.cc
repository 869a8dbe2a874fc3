#include "mirror.h"

#include <algorithm>
#include <new>

#include "clock.h"
#include "ctnetlink.h"
#include "flow_decoder.h"
#include "flow_event.h"
#include "flow_request.h"
#include "proc_file.h"

namespace nfconntrack {
namespace {

// Messages that are read between two pieces of a dump: a piece takes as long as reading a hundred.
constexpr std::size_t kPump = 1024;
// Messages read at the end of a dump, at the most; more are sent faster than they are read.
constexpr std::size_t kDrain = 1U << 20;
// Two events of one flow that two processors send at once are read within this time.
constexpr u64 kSuspicion = 50;  // ms
constexpr std::size_t kMostSuspects = 65536;
// Suspects asked for between two looks at the events.
constexpr std::size_t kAsked = 256;
constexpr u64 kFirstBackoff = 100;     // ms
constexpr u64 kLongestBackoff = 5000;  // ms
constexpr u64 kShortestPause = 50;     // ms between two dumps
constexpr char kBuckets[] = "/proc/sys/net/netfilter/nf_conntrack_buckets";

bool is_dying(const FlowRecord& flow) { return (flow.status & ctnetlink::kStatusDying) != 0; }

// Changes with the kernel's hash table.
std::vector<u8> buckets() {
  std::vector<u8> text;
  if (!read_proc_file(kBuckets, text).ok()) text.clear();
  return text;
}

}  // namespace

Mirror::Mirror(std::shared_ptr<const Netns> netns, MirrorRequest request,
               std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(std::move(request)),
      wake_(wake),
      queue_(1, 1, std::move(wake)),
      held_(mutex_, std::defer_lock) {}

Failure Mirror::start() {
  if (Failure failure = stop_.open(); !failure.ok()) return failure;
  return thread_.start("nfct-mirror", [this] {
    const Failure failure = run();
    finish(failure);
    queue_.finish(failure);
    if (!started_) wake_();
  });
}

void Mirror::stop() {
  stop_.set();
  queue_.stop();
  thread_.join();
}

void Mirror::finish(const Failure& failure) {
  if (held_.owns_lock()) held_.unlock();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (MirrorListener* listener : listeners_) listener->ended(failure);
  listeners_.clear();
  table_.clear();
  visible_ = 0;
}

Failure Mirror::run() {
  try {
    if (Failure failure = open(); !failure.ok()) return failure;
    return follow();
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

Failure Mirror::open() {
  if (Failure failure = netns_->enter(); !failure.ok()) return failure;
  if (request_.socket.reliable) {
    if (Failure failure = watch_.open(); !failure.ok()) return failure;
  }
  if (Failure failure = socket_.open(request_.socket); !failure.ok()) return failure;
  return dump_socket_.open();
}

Failure Mirror::follow() {
  while (!stop_.is_set()) {
    const u64 now = monotonic_ms();
    const bool due = request_.resync_interval != 0 && started_ && now >= interval_due_;
    if ((pending_ && now >= dump_due_) || due) {
      if (Failure failure = resync(); !failure.ok()) return failure;
      continue;
    }
    if (!stop_.wait_readable(socket_.fd(), time_to_wait())) break;
    if (Failure failure = pump(kPump); !failure.ok()) return failure;
    if (Failure failure = ask_for_suspects(); !failure.ok()) return failure;
  }
  return {};
}

// ms until something is due; -1: nothing is.
int Mirror::time_to_wait() const {
  u64 due = ~u64{0};
  if (pending_) due = dump_due_;
  if (request_.resync_interval != 0) due = std::min(due, interval_due_);
  if (!suspects_.empty()) due = std::min(due, suspects_.front().due);
  if (due == ~u64{0}) return -1;
  const u64 now = monotonic_ms();
  return due <= now ? 0 : static_cast<int>(std::min<u64>(due - now, 60'000));
}

// Reads events until there are none, or about `most` of them.
Failure Mirror::pump(std::size_t most) {
  const u64 until = received_ + most;
  while (received_ < until && failure_.ok() && !stop_.is_set()) {
    if (socket_.reliable() && watch_.is_filling()) socket_.leave_reliable();
    if (socket_.read(*this, stop_, failure_) == EventSocket::Reading::kEmpty) break;
  }
  return failure_;
}

// --- events ---

void Mirror::begin(u64 time) {
  time_ = time;
  held_.lock();
}

void Mirror::end() {
  held_.unlock();
  if (!dumping_) {
    gone_.forget_old();
  } else if (gone_.too_many()) {
    rotten_ = true;
    gone_.forget_old();
  }
}

void Mirror::message(const Message& message) {
  if (!is_flow_event(message.header.nlmsg_type) || !failure_.ok()) return;
  ++received_;
  scratch_.clear();
  FlowRecord& event = scratch_.append();
  if (!decode_flow(message.payload, event, scratch_.tail())) {
    ++malformed_;
    lose({.reasons = GapReason::kMalformed, .malformed = 1});
    return;
  }
  set_event(message.header, time_, event);
  const Filter* scope = request_.list.filter.get();
  if (scope != nullptr && !scope->matches(event, scratch_.tail())) {
    ++filtered_;
    return;
  }
  for (MirrorListener* listener : listeners_) listener->announced(event, scratch_.tail());
  apply(event, scratch_.tail());
}

void Mirror::malformed() {
  ++received_;
  ++malformed_;
  lose({.reasons = GapReason::kMalformed, .malformed = 1});
}

void Mirror::dropped(u64 count) { lose({.reasons = GapReason::kOverrun, .kernel_drops = count}); }

void Mirror::lose(const Loss& loss) {
  ++gaps_;
  pending_ = true;
  consistent_ = false;
  for (MirrorListener* listener : listeners_) listener->lost(loss, time_);
}

void Mirror::apply(const FlowRecord& event, const Tail& tail) {
  const FlowKey key = orig_key(event);
  const Handle known = table_.find(key);
  const u64 identity = this->identity(key, event.id);
  has_marks_ |= (event.presence & FlowRecord::kHasMark) != 0;
  if (event.kind == Kind::kDestroy) {
    apply_destroy(event, tail, known, identity);
  } else if (event.kind == Kind::kNew) {
    apply_new(event, tail, known, identity);
  } else {
    apply_update(event, tail, known, identity);
  }
}

void Mirror::apply_destroy(const FlowRecord& event, const Tail& tail, Handle known, u64 identity) {
  gone_.add(identity);
  if (known == kNone) return;
  table_.read(known, before_);
  // Of a flow that was there before or came after this one: that has events of its own.
  if (before_.record.id != event.id) return;
  after_ = before_;
  merge_event(after_, event, tail, has_marks_);
  remove(known, before_, after_, false);
}

void Mirror::apply_new(const FlowRecord& event, const Tail& tail, Handle known, u64 identity) {
  if (known == kNone) {
    const bool was_gone = gone_.contains(identity);
    if (was_gone && is_dying(event)) {
      ignore(event, tail);
      return;
    }
    if (was_gone || is_dying(event)) suspect(orig_key(event), event.id);
    add_announced(event, tail, false);
  } else if (table_.record(known).id == event.id) {
    merge(known, event, tail);
  } else {
    remove_unannounced(known);
    add_announced(event, tail, false);
  }
}

void Mirror::apply_update(const FlowRecord& event, const Tail& tail, Handle known, u64 identity) {
  if (known != kNone && table_.record(known).id == event.id) {
    merge(known, event, tail);
    return;
  }
  // Sent at the same moment as the flow's DESTROY, which was faster.
  if (gone_.contains(identity) || is_dying(event)) {
    ignore(event, tail);
    return;
  }
  if (known != kNone) remove_unannounced(known);
  suspect(orig_key(event), event.id);
  add_announced(event, tail, true);
}

void Mirror::ignore(const FlowRecord& event, const Tail& tail) {
  after_.assign(event, tail);
  for (MirrorListener* listener : listeners_) listener->outdated(after_);
}

void Mirror::add_announced(const FlowRecord& event, const Tail& tail, bool synthetic) {
  after_.assign(event, tail);
  after_.record.kind = Kind::kFlow;
  if (has_marks_) after_.record.presence |= FlowRecord::kHasMark;
  mark_touched(add(after_, synthetic), told_by(event, tail));
}

void Mirror::merge(Handle handle, const FlowRecord& event, const Tail& tail) {
  table_.read(handle, before_);
  after_ = before_;
  merge_event(after_, event, tail, has_marks_);
  mark_touched(handle, told_by(event, tail));
  change(handle, before_, after_, false);
}

// --- suspicions ---

void Mirror::suspect(const FlowKey& key, u32 id) {
  if (suspects_.size() < kMostSuspects) {
    suspects_.push_back({key, id, monotonic_ms() + kSuspicion});
  } else {
    pending_ = true;
  }
}

Failure Mirror::ask_for_suspects() {
  const u64 now = monotonic_ms();
  std::size_t asked = 0;
  while (asked < suspects_.size() && asked < kAsked && suspects_[asked].due <= now) {
    if (Failure failure = ask_for(suspects_[asked]); !failure.ok()) return failure;
    ++asked;
  }
  suspects_.erase(suspects_.begin(), suspects_.begin() + static_cast<std::ptrdiff_t>(asked));
  return {};
}

Failure Mirror::ask_for(const Suspect& suspect) {
  FlowRecord wanted;
  {
    const std::lock_guard lock(mutex_);
    const Handle handle = table_.find(suspect.key);
    if (handle == kNone) return {};
    wanted = table_.record(handle);
  }
  if (wanted.id != suspect.id) return {};
  ++asked_;
  wanted.presence &= FlowRecord::kHasOrig | FlowRecord::kHasZone;
  FlowBatch answer(1);
  const Failure failure = get_flow(dump_socket_, wanted, answer);
  const bool there = failure.ok() && !answer.empty() && answer.records()[0].id == wanted.id &&
                     !is_dying(answer.records()[0]);
  // Anything but "there is none" says nothing of the flow; a dump will.
  if (there) return {};
  if (!failure.ok() && failure.code != ENOENT) {
    pending_ = true;
    return {};
  }
  // Events that were sent before the kernel was asked tell more.
  if (Failure failed = pump(kDrain); !failed.ok()) return failed;
  const std::lock_guard lock(mutex_);
  time_ = now();
  const Handle handle = table_.find(suspect.key);
  if (handle == kNone) return {};
  // Of one that came meanwhile, with the same tuple and the same id, other events were read.
  const FlowRecord now_there = table_.record(handle);
  if (now_there.id == wanted.id && now_there.time == wanted.time) remove_unannounced(handle);
  return {};
}

// --- dumps ---

Failure Mirror::resync() {
  const u64 began = monotonic_ms();
  last_dump_ = now();
  pending_ = false;
  rotten_ = false;
  if (++dump_number_ == 0) dump_number_ = 1;
  const std::vector<u8> hashed = buckets();
  gone_.begin();
  dumping_ = true;
  Failure failure = dump();
  if (failure.ok()) failure = pump(kDrain);
  if (!failure_.ok()) failure = failure_;
  const bool whole = failure.ok() && !rotten_ && buckets() == hashed;
  if (whole) sweep();
  dumping_ = false;
  if (stop_.is_set()) return {};
  if (!failure.ok()) {
    ++failed_dumps_;
    if (!started_ || !failure_.ok()) return failure;
    (void)dump_socket_.open();
  }
  ++dumps_;
  pending_ |= !whole;
  if (!pending_) consistent_ = true;
  backoff_ = failure.ok() ? 0 : std::clamp(2 * backoff_, kFirstBackoff, kLongestBackoff);
  plan_dump(monotonic_ms() - began);
  if (!started_ && failure.ok()) {
    started_ = true;
    wake_();
  }
  return {};
}

// Dumps take half of the time at the most, whatever the gaps.
void Mirror::plan_dump(u64 took) {
  const u64 now = monotonic_ms();
  dump_due_ = now + std::max({took, kShortestPause, backoff_});
  interval_due_ = now + std::max<u64>(request_.resync_interval, took);
}

Failure Mirror::dump() {
  Failure failure;
  FlowLister::Sink sink{
      [&] {
        failure = pump(kPump);
        return failure.ok();
      },
      [&](std::unique_ptr<FlowBatch> batch) {
        take_listed(*batch);
        batch->clear();
        return batch;
      },
  };
  const Failure listed = FlowLister(dump_socket_, stop_, request_.list, std::move(sink)).run();
  return failure.ok() ? listed : failure;
}

void Mirror::take_listed(const FlowBatch& batch) {
  constexpr std::size_t kAtOnce = 64;
  const std::vector<FlowRecord>& records = batch.records();
  const u64 time = now();
  for (std::size_t first = 0; first < records.size(); first += kAtOnce) {
    const std::lock_guard lock(mutex_);
    time_ = time;
    const std::size_t end = std::min(first + kAtOnce, records.size());
    for (std::size_t i = first; i < end && failure_.ok(); ++i)
      take_listed(records[i], batch.tail());
  }
}

void Mirror::take_listed(const FlowRecord& flow, const Tail& tail) {
  // Its DESTROY event is on its way, and may know more than we.
  if (is_dying(flow)) return;
  FlowRecord listed = flow;
  listed.time = time_;
  listed.presence |= FlowRecord::kHasTime;
  listed.portid = 0;
  has_marks_ |= (listed.presence & FlowRecord::kHasMark) != 0;
  const FlowKey key = orig_key(listed);
  Handle handle = table_.find(key);
  if (handle != kNone && table_.record(handle).id != listed.id) {
    // Whichever of both is the newer one: its own events decide, where there were any.
    if (table_.head(handle).touched == dump_number_) return;
    remove_unannounced(handle);
    handle = kNone;
  }
  if (handle == kNone) {
    if (gone_.contains_since(identity(key, listed.id))) return;
    after_.assign(listed, tail);
    mark_listed(add(after_, true));
    return;
  }
  const PackedHead head = table_.head(handle);
  const u8 told = head.touched == dump_number_ ? head.told : 0;
  table_.read(handle, before_);
  after_ = before_;
  merge_listed(after_, listed, tail, told);
  mark_listed(handle);
  change(handle, before_, after_, true);
}

// Removes what the dump did not list and no event told of since it began.
void Mirror::sweep() {
  for (u32 part = 0; part < FlowTable::kParts; ++part) {
    const std::lock_guard lock(mutex_);
    time_ = now();
    handles_.clear();
    table_.list(part, handles_);
    for (const Handle handle : handles_) {
      const PackedHead head = table_.head(handle);
      if (head.listed != dump_number_ && head.touched != dump_number_) remove_unannounced(handle);
    }
  }
}

// --- the table ---

u64 Mirror::identity(const FlowKey& key, u32 id) const {
  constexpr u64 kOdd = 0xd6e8feb86659fd93;
  return table_.hash(key) ^ (u64{id} * kOdd);
}

bool Mirror::is_wanted(const KnownFlow& flow) const {
  return request_.filter == nullptr || request_.filter->matches(flow.record, flow.tail);
}

auto Mirror::add(const KnownFlow& flow, bool synthetic) -> Handle {
  if (table_.size() >= request_.max_flows) {
    failure_ = Failure::of(ENOSPC, "mirror");
    return kNone;
  }
  const Handle handle = table_.insert(flow);
  if (handle == kNone) {
    failure_ = Failure::of(EMSGSIZE, "mirror");
    return kNone;
  }
  if (is_wanted(flow)) {
    ++visible_;
    tell({nullptr, &flow, &flow, synthetic, time_});
  } else {
    PackedHead head = table_.head(handle);
    head.hidden = 1;
    table_.set_head(handle, head);
  }
  return handle;
}

void Mirror::change(Handle handle, const KnownFlow& before, const KnownFlow& after,
                    bool synthetic) {
  handle = table_.replace(handle, after);
  PackedHead head = table_.head(handle);
  const bool was = head.hidden == 0;
  const bool is = is_wanted(after);
  if (was != is) {
    head.hidden = is ? 0 : 1;
    table_.set_head(handle, head);
    visible_ += is ? u64{1} : ~u64{0};
    tell({was ? &before : nullptr, is ? &after : nullptr, &after, synthetic, time_});
  } else if (is && differs(before, after)) {
    tell({&before, &after, &after, synthetic, time_});
  }
}

void Mirror::remove(Handle handle, const KnownFlow& known, const KnownFlow& last, bool synthetic) {
  const bool hidden = table_.head(handle).hidden != 0;
  table_.erase(handle);
  if (hidden) return;
  --visible_;
  tell({&known, nullptr, &last, synthetic, time_});
}

void Mirror::remove_unannounced(Handle handle) {
  table_.read(handle, before_);
  remove(handle, before_, before_, true);
}

void Mirror::mark_listed(Handle handle) {
  if (handle == kNone) return;
  PackedHead head = table_.head(handle);
  head.listed = dump_number_;
  // What is left of an earlier dump would be taken for this one's when the numbers begin anew.
  if (head.touched != dump_number_) head.touched = 0;
  table_.set_head(handle, head);
}

void Mirror::mark_touched(Handle handle, u8 told) {
  if (handle == kNone) return;
  PackedHead head = table_.head(handle);
  head.told = head.touched == dump_number_ ? head.told | told : told;
  head.touched = dump_number_;
  table_.set_head(handle, head);
}

void Mirror::tell(const FlowChange& change) {
  // What is there to begin with is no change.
  if (change.synthetic && started_) ++synthetic_;
  for (MirrorListener* listener : listeners_) listener->changed(change);
}

// --- on any thread ---

bool Mirror::find(const FlowRecord& key, KnownFlow& flow) {
  const bool orig = (key.presence & FlowRecord::kHasOrig) != 0;
  const TupleRecord& tuple = orig ? key.orig : key.reply;
  const std::lock_guard lock(mutex_);
  const Handle handle = find(key, tuple, orig ? Direction::kOrig : Direction::kReply);
  if (handle == kNone || table_.head(handle).hidden != 0) return false;
  table_.read(handle, flow);
  return true;
}

// As nf_conntrack_find_get() does: in either direction, each of which has the zone only if the
// key's is that of this direction.
auto Mirror::find(const FlowRecord& key, const TupleRecord& tuple, Direction direction) const
    -> Handle {
  const FlowKey wanted(tuple, zone_of(key, tuple));
  const bool one_way = (key.presence & FlowRecord::kHasZone) == 0 && tuple.zone != 0;
  if (!one_way) return table_.find_any(wanted);
  const Handle handle = table_.find(wanted, direction);
  if (handle != kNone) return handle;
  const bool orig = direction == Direction::kOrig;
  return table_.find(FlowKey(tuple, 0), orig ? Direction::kReply : Direction::kOrig);
}

bool Mirror::peek(const FlowKey& orig, KnownFlow& flow) const {
  const Handle handle = table_.find(orig);
  if (handle == kNone || table_.head(handle).hidden != 0) return false;
  table_.read(handle, flow);
  return true;
}

bool Mirror::list(u32& part, const Filter* filter, FlowBatch& batch) {
  std::vector<Handle> handles;
  KnownFlow flow;
  while (part < FlowTable::kParts && batch.size() < FlowLister::kBatchSize) {
    const std::lock_guard lock(mutex_);
    handles.clear();
    table_.list(part++, handles);
    for (const Handle handle : handles) {
      if (table_.head(handle).hidden != 0) continue;
      table_.read(handle, flow);
      if (filter != nullptr && !filter->matches(flow.record, flow.tail)) continue;
      flow.append_to(batch);
    }
  }
  return part < FlowTable::kParts;
}

MirrorStatistics Mirror::statistics() {
  const std::lock_guard lock(mutex_);
  return {
      .flows = visible_,
      .kept = table_.size(),
      .bytes = table_.bytes(),
      .received = received_,
      .filtered = filtered_,
      .malformed = malformed_,
      .kernel_drops = socket_.kernel_drops(),
      .gaps = gaps_,
      .dumps = dumps_,
      .failed_dumps = failed_dumps_,
      .synthetic = synthetic_,
      .asked = asked_,
      .last_dump = last_dump_,
      .receive_buffer = socket_.receive_buffer(),
      .reliable = socket_.reliable(),
      .dumping = dumping_,
  };
}

bool Mirror::add_listener(MirrorListener* listener) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  listeners_.push_back(listener);
  return true;
}

void Mirror::remove_listener(MirrorListener* listener) {
  const std::lock_guard lock(mutex_);
  std::erase(listeners_, listener);
}

}  // namespace nfconntrack
