#include "packed_flow.h"

#include <bit>
#include <span>

namespace nfconntrack {
namespace {

constexpr std::size_t kRecordWords = sizeof(FlowRecord) / sizeof(u32);
constexpr std::size_t kTimeWords = sizeof(u64) / sizeof(u32);
constexpr std::size_t kWords = kRecordWords + kTimeWords;
static_assert(kWords <= 64);

using Words = u32[kWords];

// Where the tail lies follows from the packing.
void to_words(const KnownFlow& flow, Words& words) {
  FlowRecord record = flow.record;
  record.tailOffset = 0;
  record.tailLength = 0;
  std::memcpy(words, &record, sizeof record);
  std::memcpy(words + kRecordWords, &flow.counters_time, sizeof flow.counters_time);
}

u64 mask_of(const Words& words) {
  u64 mask = 0;
  for (std::size_t i = 0; i < kWords; ++i) mask |= u64{words[i] != 0} << i;
  return mask;
}

// Where the words of a packed flow end.
std::size_t words_end(u64 mask) {
  return sizeof(PackedHead) + static_cast<std::size_t>(std::popcount(mask)) * sizeof(u32);
}

void spread(const u8* packed, u64 mask, Words& words) {
  const u8* next = packed + sizeof(PackedHead);
  for (; mask != 0; mask &= mask - 1) {
    std::memcpy(&words[std::countr_zero(mask)], next, sizeof(u32));
    next += sizeof(u32);
  }
}

// The words from `first` on, of a flow whose words `mask` are there.
void spread_part(const u8* packed, u64 mask, std::size_t first, std::span<u32> words) {
  const u64 before = mask & ((u64{1} << first) - 1);
  const u8* next = packed + words_end(before);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if ((mask >> (first + i) & 1) == 0) continue;
    std::memcpy(&words[i], next, sizeof(u32));
    next += sizeof(u32);
  }
}

bool has_counters(const FlowRecord& flow) {
  constexpr u32 kCounters = FlowRecord::kHasOrigPackets | FlowRecord::kHasReplyPackets;
  return (flow.presence & kCounters) != 0;
}

}  // namespace

void KnownFlow::assign(const FlowRecord& flow, const Tail& from) {
  record = flow;
  tail.truncate(0);
  tail.append(from.bytes().subspan(flow.tailOffset, flow.tailLength));
  record.tailOffset = 0;
  counters_time = has_counters(flow) ? flow.time : 0;
}

FlowRecord& KnownFlow::append_to(FlowBatch& batch) const {
  FlowRecord& copy = batch.append();
  copy = record;
  copy.tailOffset = batch.tail().size();
  batch.tail().append(tail.bytes());
  add_time(batch.tail());
  copy.tailLength = batch.tail().size() - copy.tailOffset;
  return copy;
}

std::size_t KnownFlow::flat_size() const {
  constexpr std::size_t kTime = sizeof(u32) + sizeof counters_time;
  return sizeof record + tail.size() + (counters_time == 0 ? 0 : kTime);
}

void KnownFlow::write(u8* out) const {
  FlowRecord copy = record;
  copy.tailOffset = 0;
  copy.tailLength = static_cast<u32>(flat_size() - sizeof record);
  std::memcpy(out, &copy, sizeof copy);
  out += sizeof copy;
  if (tail.size() > 0) std::memcpy(out, tail.data(), tail.size());
  if (counters_time == 0) return;
  Tail time;
  add_time(time);
  std::memcpy(out + tail.size(), time.data(), time.size());
}

void KnownFlow::add_time(Tail& to) const {
  if (counters_time != 0) to.add_value(TailType::kCountersTime, counters_time);
}

std::size_t packed_size(const KnownFlow& flow) {
  Words words;
  to_words(flow, words);
  return words_end(mask_of(words)) + flow.tail.size();
}

void pack(const KnownFlow& flow, u8* out) {
  Words words;
  to_words(flow, words);
  PackedHead head = head_of(out);
  head.words = mask_of(words);
  head.tail_length = flow.tail.size();
  set_head(out, head);
  u8* next = out + sizeof head;
  for (u64 rest = head.words; rest != 0; rest &= rest - 1) {
    std::memcpy(next, &words[std::countr_zero(rest)], sizeof(u32));
    next += sizeof(u32);
  }
  if (flow.tail.size() > 0) std::memcpy(next, flow.tail.data(), flow.tail.size());
}

void unpack(const u8* packed, FlowRecord& record) {
  Words words = {};
  spread(packed, head_of(packed).words, words);
  std::memcpy(&record, words, sizeof record);
}

FlowKey key_of(const u8* packed, Direction direction) {
  constexpr std::size_t kHead = offsetof(FlowRecord, origWindowScale) / sizeof(u32) + 1;
  constexpr std::size_t kTupleWords = sizeof(TupleRecord) / sizeof(u32);
  const u64 mask = head_of(packed).words;
  const bool orig = direction == Direction::kOrig;
  u32 words[kTupleWords] = {};
  const std::size_t first = orig ? offsetof(FlowRecord, orig) : offsetof(FlowRecord, reply);
  spread_part(packed, mask, first / sizeof(u32), words);
  TupleRecord tuple;
  std::memcpy(&tuple, words, sizeof tuple);
  // The zone lies in the words before the times, as does the presence that tells whose it is.
  u32 head[kHead] = {};
  spread_part(packed, mask, 0, head);
  FlowRecord flow;
  std::memcpy(&flow, head, sizeof head);
  return {tuple, zone_of(flow, tuple)};
}

void unpack(const u8* packed, KnownFlow& flow) {
  const PackedHead head = head_of(packed);
  Words words = {};
  spread(packed, head.words, words);
  std::memcpy(&flow.record, words, sizeof flow.record);
  std::memcpy(&flow.counters_time, words + kRecordWords, sizeof flow.counters_time);
  flow.record.tailLength = head.tail_length;
  const u8* tail = packed + words_end(head.words);
  flow.tail.truncate(0);
  flow.tail.append(Bytes(tail, head.tail_length));
}

}  // namespace nfconntrack
