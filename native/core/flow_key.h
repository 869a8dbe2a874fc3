// What identifies one direction of a flow: its tuple, in the zone that holds for that direction.
#pragma once

#include <array>
#include <cstring>

#include "record.h"

namespace nfconntrack {

enum class Direction : u8 { kOrig = 0, kReply = 1 };

// The words of a TupleRecord that tell flows apart. Fields that a protocol does not have are zero,
// in messages as in keys.
class FlowKey {
 public:
  FlowKey() = default;
  FlowKey(const TupleRecord& tuple, u16 zone) {
    std::memcpy(words_.data(), &tuple, kSize);
    // The tuple's own zone, if it has one, is the same or does not count.
    u16 member[2] = {tuple.icmpId, zone};
    std::memcpy(&words_[kZoneWord], member, sizeof member);
  }

  [[nodiscard]] bool operator==(const FlowKey&) const = default;
  [[nodiscard]] u64 hash(u64 seed) const;

 private:
  static constexpr std::size_t kSize = offsetof(TupleRecord, presence);
  static constexpr std::size_t kZoneWord = offsetof(TupleRecord, icmpId) / sizeof(u32);
  static_assert(offsetof(TupleRecord, zone) == offsetof(TupleRecord, icmpId) + sizeof(u16));

  std::array<u32, kSize / sizeof(u32)> words_{};
};

// The zone of one direction: CTA_ZONE is that of both, CTA_TUPLE_ZONE that of its own (struct
// nf_conntrack_zone's `dir`).
inline u16 zone_of(const FlowRecord& flow, const TupleRecord& tuple) {
  return (flow.presence & FlowRecord::kHasZone) != 0 ? flow.zone : tuple.zone;
}

inline FlowKey orig_key(const FlowRecord& flow) { return {flow.orig, zone_of(flow, flow.orig)}; }
inline FlowKey reply_key(const FlowRecord& flow) { return {flow.reply, zone_of(flow, flow.reply)}; }

}  // namespace nfconntrack
