// What every fuzz target has in common. See https://llvm.org/docs/LibFuzzer.html.
#pragma once

#include <cstdlib>

#include "record_batch.h"

namespace nfconntrack::fuzz {

// An input that breaks a promise ends the run, as one that breaks memory does.
inline void require(bool holds) {
  if (!holds) std::abort();
}

// The part of an input before its first `size` bytes end, and what follows; the whole input may be
// shorter.
inline Bytes take(Bytes& input, std::size_t size) {
  const Bytes head = input.first(size < input.size() ? size : input.size());
  input = input.subspan(head.size());
  return head;
}

// A record of bytes as they come; zeros where the input ends.
template <typename Record>
Record take_record(Bytes& input) {
  Record record{};
  const Bytes bytes = take(input, sizeof record);
  if (!bytes.empty()) std::memcpy(&record, bytes.data(), bytes.size());
  return record;
}

// Every byte of every tail entry, so that a wrong length is read and not only carried.
inline u64 sum(Bytes bytes) {
  u64 total = 0;
  for (const u8 byte : bytes) total += byte;
  return total;
}

inline constexpr u8 kTailTypes = 20;

}  // namespace nfconntrack::fuzz
