#include "flow_merge.h"

#include <algorithm>

namespace nfconntrack {
namespace {

constexpr u32 kTold = FlowRecord::kHasStatus | FlowRecord::kHasTimeout | FlowRecord::kHasMark |
                      FlowRecord::kHasSecmark;
constexpr u32 kProtoinfo = FlowRecord::kHasState | FlowRecord::kHasOrigWindowScale |
                           FlowRecord::kHasReplyWindowScale | FlowRecord::kHasOrigTcpFlags |
                           FlowRecord::kHasReplyTcpFlags | FlowRecord::kHasDccpRole |
                           FlowRecord::kHasOrigVtag | FlowRecord::kHasReplyVtag;
constexpr u32 kCounters = FlowRecord::kHasOrigPackets | FlowRecord::kHasOrigBytes |
                          FlowRecord::kHasReplyPackets | FlowRecord::kHasReplyBytes;

void take_presence(const FlowRecord& from, u32 flags, FlowRecord& to) {
  to.presence = (to.presence & ~flags) | (from.presence & flags);
}

void copy_told(const FlowRecord& from, FlowRecord& to) {
  to.status = from.status;
  to.timeout = from.timeout;
  to.mark = from.mark;
  to.secmark = from.secmark;
  take_presence(from, kTold, to);
}

void copy_protoinfo(const FlowRecord& from, FlowRecord& to) {
  to.protoinfo = from.protoinfo;
  to.state = from.state;
  to.origWindowScale = from.origWindowScale;
  to.replyWindowScale = from.replyWindowScale;
  to.origTcpFlags = from.origTcpFlags;
  to.origTcpFlagsMask = from.origTcpFlagsMask;
  to.replyTcpFlags = from.replyTcpFlags;
  to.replyTcpFlagsMask = from.replyTcpFlagsMask;
  to.dccpRole = from.dccpRole;
  to.origVtag = from.origVtag;
  to.replyVtag = from.replyVtag;
  take_presence(from, kProtoinfo, to);
}

void copy_counters(const FlowRecord& from, FlowRecord& to) {
  to.origPackets = from.origPackets;
  to.origBytes = from.origBytes;
  to.replyPackets = from.replyPackets;
  to.replyBytes = from.replyBytes;
  take_presence(from, kCounters, to);
}

void copy_timestamps(const FlowRecord& from, FlowRecord& to) {
  if ((from.presence & FlowRecord::kHasTimestampStart) != 0) {
    to.timestampStart = from.timestampStart;
    to.presence |= FlowRecord::kHasTimestampStart;
  }
  if ((from.presence & FlowRecord::kHasTimestampStop) != 0) {
    to.timestampStop = from.timestampStop;
    to.presence |= FlowRecord::kHasTimestampStop;
  }
  to.timestampEvent = from.timestampEvent;
  take_presence(from, FlowRecord::kHasTimestampEvent, to);
}

// A DESTROY event tells the state alone of it.
void merge_protoinfo(const FlowRecord& event, FlowRecord& to) {
  if (event.kind != Kind::kDestroy) {
    copy_protoinfo(event, to);
  } else if ((event.presence & FlowRecord::kHasState) != 0) {
    to.state = event.state;
    to.presence |= FlowRecord::kHasState;
  }
}

struct TailEntry {
  u16 type;
  Bytes whole;
};

// Calls `use` with each entry of a tail of ours.
template <typename Use>
void each_entry(Bytes tail, Use use) {
  while (!tail.empty()) {
    u16 head[2];
    std::memcpy(head, tail.data(), sizeof head);
    const std::size_t size = sizeof head + ((head[1] + std::size_t{3}) & ~std::size_t{3});
    use(TailEntry{head[0], tail.first(size)});
    tail = tail.subspan(size);
  }
}

Bytes tail_of(const FlowRecord& flow, const Tail& tail) {
  return tail.bytes().subspan(flow.tailOffset, flow.tailLength);
}

constexpr u32 bit(u16 type) { return 1U << type; }

u32 types_in(Bytes tail) {
  u32 types = 0;
  each_entry(tail, [&](const TailEntry& entry) { types |= bit(entry.type); });
  return types;
}

constexpr u32 kHelper = bit(TailType::kHelper) | bit(TailType::kHelperInfo);
constexpr u32 kSeqAdjust = bit(TailType::kOrigSeqAdjust) | bit(TailType::kReplySeqAdjust);

// The tail of `first`, and of `second` what is not among the types of the first nor `left_out`.
Tail joined(Bytes first, Bytes second, u32 left_out) {
  Tail tail;
  tail.append(first);
  const u32 taken = types_in(first) | left_out;
  each_entry(second, [&](const TailEntry& entry) {
    if ((taken & bit(entry.type)) == 0) tail.append(entry.whole);
  });
  return tail;
}

// Types of entries that events have told of, as they were or were not there.
u32 types_told(u8 told) {
  u32 types = 0;
  if (told & Told::kEvent) types |= kHelper;
  if (told & Told::kProtoinfo) types |= bit(TailType::kDccpHandshakeSeq);
  if (told & Told::kLabels) types |= bit(TailType::kLabels);
  if (told & Told::kSecctx) types |= bit(TailType::kSecctx);
  if (told & Told::kSeqAdjust) types |= kSeqAdjust;
  if (told & Told::kSynproxy) types |= bit(TailType::kSynproxy);
  return types;
}

Tail only(Bytes tail, u32 types) {
  Tail kept;
  each_entry(tail, [&](const TailEntry& entry) {
    if ((types & bit(entry.type)) != 0) kept.append(entry.whole);
  });
  return kept;
}

void set_tail(KnownFlow& known, Tail tail) {
  known.tail = std::move(tail);
  known.record.tailOffset = 0;
  known.record.tailLength = known.tail.size();
}

bool same_entry(const KnownFlow& a, const KnownFlow& b, u8 type) {
  Bytes of_a;
  Bytes of_b;
  const bool has_a = a.tail.find(a.record, type, of_a);
  const bool has_b = b.tail.find(b.record, type, of_b);
  return has_a == has_b && std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end());
}

}  // namespace

u8 told_by(const FlowRecord& event, const Tail& tail) {
  u8 told = Told::kEvent;
  if (event.protoinfo != Protoinfo::kNone) told |= Told::kProtoinfo;
  const u32 types = types_in(tail_of(event, tail));
  if (types & bit(TailType::kLabels)) told |= Told::kLabels;
  if (types & bit(TailType::kSecctx)) told |= Told::kSecctx;
  if (types & kSeqAdjust) told |= Told::kSeqAdjust;
  if (types & bit(TailType::kSynproxy)) told |= Told::kSynproxy;
  return told;
}

void merge_event(KnownFlow& known, const FlowRecord& event, const Tail& tail, bool has_marks) {
  FlowRecord& record = known.record;
  const bool destroyed = event.kind == Kind::kDestroy;
  copy_told(event, record);
  if (has_marks) record.presence |= FlowRecord::kHasMark;
  if (event.protoinfo != Protoinfo::kNone) merge_protoinfo(event, record);
  if ((event.presence & kCounters) != 0) {
    copy_counters(event, record);
    known.counters_time = event.time;
  }
  copy_timestamps(event, record);
  record.time = event.time;
  record.presence |= FlowRecord::kHasTime;
  record.portid = event.portid;
  const Bytes entries = tail_of(event, tail);
  // A DESTROY event does not tell the helper.
  if (!entries.empty() || (known.tail.size() > 0 && !destroyed)) {
    set_tail(known, joined(entries, known.tail.bytes(), destroyed ? 0 : kHelper));
  }
}

void merge_listed(KnownFlow& known, const FlowRecord& listed, const Tail& tail, u8 told) {
  if (told == 0) {
    known.assign(listed, tail);
    return;
  }
  KnownFlow merged;
  merged.assign(listed, tail);
  copy_told(known.record, merged.record);
  if (told & Told::kProtoinfo) copy_protoinfo(known.record, merged.record);
  merged.record.time = known.record.time;
  merged.record.portid = known.record.portid;
  const u32 types = types_told(told);
  if (merged.tail.size() > 0 || known.tail.size() > 0) {
    const Tail kept = only(known.tail.bytes(), types);
    set_tail(merged, joined(kept.bytes(), merged.tail.bytes(), types));
  }
  known = std::move(merged);
}

bool differs(const KnownFlow& a, const KnownFlow& b) {
  constexpr u32 kCompared = FlowRecord::kHasStatus | FlowRecord::kHasMark |
                            FlowRecord::kHasSecmark | FlowRecord::kHasState | FlowRecord::kHasZone;
  const FlowRecord& x = a.record;
  const FlowRecord& y = b.record;
  if (x.id != y.id || x.status != y.status || x.mark != y.mark || x.secmark != y.secmark ||
      x.protoinfo != y.protoinfo || x.state != y.state || x.zone != y.zone) {
    return true;
  }
  if ((x.presence & kCompared) != (y.presence & kCompared)) return true;
  if (a.tail.size() == 0 && b.tail.size() == 0) return false;
  return !same_entry(a, b, TailType::kLabels) || !same_entry(a, b, TailType::kHelper) ||
         !same_entry(a, b, TailType::kSecctx);
}

}  // namespace nfconntrack
