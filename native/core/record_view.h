// A record with the part of a tail that is its own.
#pragma once

#include "attribute.h"
#include "record.h"

namespace nfconntrack {

// The payload of the first entry of `type` in a run of tail entries, each length of which is
// checked; false if there is none.
bool find_tail_entry(Bytes tail, u8 type, Bytes& payload);

// The same for a fixed-size payload; false also if it has another size.
template <typename Value>
bool find_tail_value(Bytes tail, u8 type, Value& value) {
  Bytes payload;
  if (!find_tail_entry(tail, type, payload) || payload.size() != sizeof value) return false;
  std::memcpy(&value, payload.data(), sizeof value);
  return true;
}

template <typename Record>
struct RecordView {
  Record record;
  Bytes tail;

  [[nodiscard]] bool has(u32 flags) const { return (record.presence & flags) == flags; }
  bool find(u8 type, Bytes& payload) const {
    return !tail.empty() && find_tail_entry(tail, type, payload);
  }
  template <typename Value>
  bool find_value(u8 type, Value& value) const {
    return !tail.empty() && find_tail_value(tail, type, value);
  }
};

using FlowView = RecordView<FlowRecord>;
using ExpectationView = RecordView<ExpectationRecord>;

}  // namespace nfconntrack
