// A flow in as few bytes as it can be kept in: the words of its record that are not zero, a bit for
// each that says which they are, and its tail. An IPv4 flow takes about 90 bytes, 130 with counters
// and times; an IPv6 flow 50 more.
#pragma once

#include "flow_key.h"
#include "record_batch.h"

namespace nfconntrack {

// What a mirror knows of a flow.
class KnownFlow {
 public:
  FlowRecord record{};    // whose tail is all of `tail`
  u64 counters_time = 0;  // when its counters were read, in ns since the epoch; 0: never
  Tail tail;

  // Takes a record of a batch, as the only thing that is known.
  void assign(const FlowRecord& flow, const Tail& from);
  // Puts it behind what a batch has, with the time of its counters in its tail.
  FlowRecord& append_to(FlowBatch& batch) const;
  // The same as JavaScript holds a flow: the record, and its tail behind it.
  [[nodiscard]] std::size_t flat_size() const;
  void write(u8* out) const;

 private:
  void add_time(Tail& to) const;
};

// How a packed flow begins; the rest belongs to whoever keeps it.
struct PackedHead {
  u64 words;        // bit n: word n of the record, and of counters_time behind it, follows
  u32 tail_length;  // bytes behind the words
  // The dump that listed the flow last, and the dump during which events told of it, and what of
  // (Mirror).
  u8 listed;
  u8 touched;
  u8 told;
  u8 hidden;
};
static_assert(sizeof(PackedHead) == 16);

[[nodiscard]] std::size_t packed_size(const KnownFlow& flow);
// `out` has packed_size() bytes. Of the head, only what describes the packing is written.
void pack(const KnownFlow& flow, u8* out);
void unpack(const u8* packed, KnownFlow& flow);
// Only the record, without its tail.
void unpack(const u8* packed, FlowRecord& record);
// Only what identifies one of its directions.
[[nodiscard]] FlowKey key_of(const u8* packed, Direction direction);

inline PackedHead head_of(const u8* packed) {
  PackedHead head;
  std::memcpy(&head, packed, sizeof head);
  return head;
}
inline void set_head(u8* packed, const PackedHead& head) {
  std::memcpy(packed, &head, sizeof head);
}

}  // namespace nfconntrack
