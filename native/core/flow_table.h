// Flows in memory, found by either of their tuples in its zone.
//
// Not safe for threads: its owner locks.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "flow_key.h"
#include "packed_flow.h"
#include "slab.h"

namespace nfconntrack {

class FlowTable {
 public:
  using Handle = Slab::Handle;
  static constexpr Handle kNone = Slab::kNone;
  // Flows are walked in so many parts; a flow stays in its part for as long as it is there.
  static constexpr u32 kParts = 1024;

  FlowTable();

  // The flow whose original tuple this is.
  [[nodiscard]] Handle find(const FlowKey& orig) const;
  // The flow that has this tuple in one of the two directions.
  [[nodiscard]] Handle find_any(const FlowKey& key) const;
  // The same, in one direction.
  [[nodiscard]] Handle find(const FlowKey& key, Direction direction) const;

  // Neither must be there. kNone: it is too large. Throws std::bad_alloc, and is as before then.
  Handle insert(const KnownFlow& flow);
  // Another state of the same flow (its tuples and zones stay); its handle may change.
  Handle replace(Handle handle, const KnownFlow& flow);
  void erase(Handle handle);
  void clear();

  void read(Handle handle, KnownFlow& flow) const { unpack(slab_.at(handle), flow); }
  [[nodiscard]] FlowRecord record(Handle handle) const;
  [[nodiscard]] PackedHead head(Handle handle) const { return head_of(slab_.at(handle)); }
  void set_head(Handle handle, const PackedHead& head) {
    nfconntrack::set_head(slab_.at(handle), head);
  }

  // Appends the handles of the flows of a part.
  void list(u32 part, std::vector<Handle>& handles) const;

  [[nodiscard]] std::size_t size() const { return size_; }
  // Bytes taken for all of it.
  [[nodiscard]] std::size_t bytes() const { return slab_.bytes() + index_bytes_; }
  [[nodiscard]] u64 hash(const FlowKey& key) const { return key.hash(seed_); }

 private:
  // Open addressing with linear probing. A part grows alone, so that no growth takes long.
  struct Part {
    std::unique_ptr<u32[]> slots;  // handle << 1 | direction
    u32 capacity = 0;
    u32 used = 0;
  };
  static constexpr u32 kEmpty = ~0U;

  struct Place {
    Part* part;
    u32 slot;
  };

  [[nodiscard]] static u32 part_of(u64 hash) { return static_cast<u32>(hash >> 54); }
  [[nodiscard]] static u32 home(u64 hash, u32 capacity) {
    return static_cast<u32>((u64{static_cast<u32>(hash)} * capacity) >> 32);
  }
  [[nodiscard]] FlowKey key_in(u32 slot_value) const;
  [[nodiscard]] u32 find_slot(u64 hash, const FlowKey& key, u32 direction_mask,
                              u32 direction) const;
  void reserve(Part& part);
  void put(Part& part, u64 hash, u32 value);
  void remove(u64 hash, u32 value);
  void rename(u64 hash, u32 from, u32 to);
  [[nodiscard]] Place place_of(u64 hash, u32 value);

  std::array<Part, kParts> parts_;
  Slab slab_;
  u64 seed_;
  std::size_t size_ = 0;
  std::size_t index_bytes_ = 0;
};

}  // namespace nfconntrack
