#include "flow_table.h"

#include <algorithm>
#include <random>

namespace nfconntrack {
namespace {

constexpr u32 kFirstCapacity = 8;

u64 random_seed() {
  std::random_device device;
  return u64{device()} << 32 | device();
}

}  // namespace

// A seed that nobody outside knows: whoever chooses addresses and ports cannot choose collisions.
FlowTable::FlowTable() : seed_(random_seed()) {}

FlowRecord FlowTable::record(Handle handle) const {
  FlowRecord record;
  unpack(slab_.at(handle), record);
  return record;
}

FlowKey FlowTable::key_in(u32 slot_value) const {
  return key_of(slab_.at(slot_value >> 1), static_cast<Direction>(slot_value & 1));
}

u32 FlowTable::find_slot(u64 hash, const FlowKey& key, u32 direction_mask, u32 direction) const {
  const Part& part = parts_[part_of(hash)];
  if (part.used == 0) return kEmpty;
  for (u32 at = home(hash, part.capacity);; at = at + 1 == part.capacity ? 0 : at + 1) {
    const u32 value = part.slots[at];
    if (value == kEmpty) return kEmpty;
    if ((value & direction_mask) == direction && key_in(value) == key) return value;
  }
}

auto FlowTable::find(const FlowKey& orig) const -> Handle { return find(orig, Direction::kOrig); }

auto FlowTable::find(const FlowKey& key, Direction direction) const -> Handle {
  const u32 value = find_slot(hash(key), key, 1, static_cast<u32>(direction));
  return value == kEmpty ? kNone : value >> 1;
}

auto FlowTable::find_any(const FlowKey& key) const -> Handle {
  const u32 value = find_slot(hash(key), key, 0, 0);
  return value == kEmpty ? kNone : value >> 1;
}

auto FlowTable::insert(const KnownFlow& flow) -> Handle {
  const u64 orig = hash(orig_key(flow.record));
  const u64 reply = hash(reply_key(flow.record));
  // What can fail comes first. Both tuples may belong to the same part.
  reserve(parts_[part_of(orig)]);
  reserve(parts_[part_of(reply)]);
  const Handle handle = slab_.allocate(packed_size(flow));
  if (handle == kNone) return kNone;
  nfconntrack::set_head(slab_.at(handle), PackedHead{});
  pack(flow, slab_.at(handle));
  put(parts_[part_of(orig)], orig, handle << 1);
  put(parts_[part_of(reply)], reply, handle << 1 | 1);
  ++size_;
  return handle;
}

auto FlowTable::replace(Handle handle, const KnownFlow& flow) -> Handle {
  const std::size_t size = packed_size(flow);
  const PackedHead head = this->head(handle);
  FlowRecord old;
  unpack(slab_.at(handle), old);
  const std::size_t old_size =
      sizeof head + sizeof(u32) * static_cast<std::size_t>(__builtin_popcountll(head.words)) +
      head.tail_length;
  if (Slab::same_room(size, old_size)) {
    pack(flow, slab_.at(handle));
    return handle;
  }
  const Handle moved = slab_.allocate(size);
  if (moved == kNone) return handle;
  nfconntrack::set_head(slab_.at(moved), head);
  pack(flow, slab_.at(moved));
  rename(hash(orig_key(old)), handle << 1, moved << 1);
  rename(hash(reply_key(old)), handle << 1 | 1, moved << 1 | 1);
  slab_.free(handle);
  return moved;
}

void FlowTable::erase(Handle handle) {
  const FlowRecord old = record(handle);
  remove(hash(orig_key(old)), handle << 1);
  remove(hash(reply_key(old)), handle << 1 | 1);
  slab_.free(handle);
  --size_;
}

void FlowTable::clear() {
  for (Part& part : parts_) part = Part{};
  slab_.clear();
  size_ = 0;
  index_bytes_ = 0;
}

void FlowTable::list(u32 part_number, std::vector<Handle>& handles) const {
  const Part& part = parts_[part_number];
  for (u32 at = 0; at < part.capacity; ++at) {
    const u32 value = part.slots[at];
    if (value != kEmpty && (value & 1) == 0) handles.push_back(value >> 1);
  }
}

// Room for two more, at a load of four fifths.
void FlowTable::reserve(Part& part) {
  if ((part.used + 2) * u64{5} <= part.capacity * u64{4}) return;
  const u32 capacity = std::max(kFirstCapacity, part.capacity + part.capacity / 3);
  Part grown{std::make_unique<u32[]>(capacity), capacity, 0};
  std::fill_n(grown.slots.get(), capacity, kEmpty);
  for (u32 at = 0; at < part.capacity; ++at) {
    const u32 value = part.slots[at];
    if (value != kEmpty) put(grown, hash(key_in(value)), value);
  }
  index_bytes_ += (capacity - part.capacity) * sizeof(u32);
  part = std::move(grown);
}

void FlowTable::put(Part& part, u64 hash, u32 value) {
  u32 at = home(hash, part.capacity);
  while (part.slots[at] != kEmpty) at = at + 1 == part.capacity ? 0 : at + 1;
  part.slots[at] = value;
  ++part.used;
}

auto FlowTable::place_of(u64 hash, u32 value) -> Place {
  Part& part = parts_[part_of(hash)];
  u32 at = home(hash, part.capacity);
  while (part.slots[at] != value) at = at + 1 == part.capacity ? 0 : at + 1;
  return {&part, at};
}

void FlowTable::rename(u64 hash, u32 from, u32 to) {
  const Place place = place_of(hash, from);
  place.part->slots[place.slot] = to;
}

// Moves back what stands behind the hole and would no longer be found from its home.
void FlowTable::remove(u64 hash, u32 value) {
  const Place place = place_of(hash, value);
  Part& part = *place.part;
  u32 hole = place.slot;
  const auto distance = [&](u32 from, u32 to) {
    return to >= from ? to - from : to + part.capacity - from;
  };
  for (u32 at = hole;;) {
    at = at + 1 == part.capacity ? 0 : at + 1;
    const u32 next = part.slots[at];
    if (next == kEmpty) break;
    const u32 from = home(this->hash(key_in(next)), part.capacity);
    if (distance(from, at) < distance(hole, at)) continue;
    part.slots[hole] = next;
    hole = at;
  }
  part.slots[hole] = kEmpty;
  --part.used;
}

}  // namespace nfconntrack
