// A run of records and the tail that holds their rare attributes: the unit of every hand-over.
#pragma once

#include <cstring>
#include <vector>

#include "attribute.h"
#include "record.h"

namespace nfconntrack {

// The variable part of a batch.
class Tail {
 public:
  void add(u8 type, Bytes payload);
  template <typename T>
  void add_value(u8 type, const T& value) {
    add(type, Bytes(reinterpret_cast<const u8*>(&value), sizeof value));
  }

  [[nodiscard]] u32 size() const { return static_cast<u32>(bytes_.size()); }
  [[nodiscard]] const u8* data() const { return bytes_.data(); }
  void truncate(u32 size) { bytes_.resize(size); }
  // Repeats `length` bytes of another tail from `offset` on.
  void append(const Tail& other, u32 offset, u32 length);
  // Entries as they lie in another tail.
  void append(Bytes entries) { bytes_.insert(bytes_.end(), entries.begin(), entries.end()); }
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  // The first entry of `type` of a record of this batch.
  template <typename Record>
  bool find(const Record& record, u8 type, Bytes& payload) const {
    return find(record.tailOffset, record.tailLength, type, payload);
  }

 private:
  bool find(u32 offset, u32 length, u8 type, Bytes& payload) const;

  std::vector<u8> bytes_;
};

template <typename Record>
class RecordBatch {
 public:
  explicit RecordBatch(std::size_t capacity) { records_.reserve(capacity); }

  // A zeroed record; valid until the next append().
  Record& append() { return records_.emplace_back(); }
  void drop_last() { records_.pop_back(); }
  // Notes that one of the records is a gap.
  void count_gap() { ++gaps_; }
  void clear() {
    records_.clear();
    gaps_ = 0;
    tail_.truncate(0);
  }

  [[nodiscard]] Tail& tail() { return tail_; }
  [[nodiscard]] const Tail& tail() const { return tail_; }
  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] bool empty() const { return records_.empty(); }

  [[nodiscard]] std::size_t byte_size() const {
    return sizeof(BatchRecord) + records_.size() * sizeof(Record) + tail_.size();
  }
  // `out` has byte_size() bytes.
  void write(u8* out) const {
    const std::size_t records_size = records_.size() * sizeof(Record);
    BatchRecord header{};
    header.length = static_cast<u32>(records_.size());
    header.stride = sizeof(Record);
    header.tailStart = static_cast<u32>(sizeof header + records_size);
    header.tailLength = tail_.size();
    header.gaps = gaps_;
    std::memcpy(out, &header, sizeof header);
    if (records_size > 0) std::memcpy(out + sizeof header, records_.data(), records_size);
    if (tail_.size() > 0) std::memcpy(out + header.tailStart, tail_.data(), tail_.size());
  }

 private:
  std::vector<Record> records_;
  Tail tail_;
  u32 gaps_ = 0;
};

using FlowBatch = RecordBatch<FlowRecord>;
using ExpectationBatch = RecordBatch<ExpectationRecord>;

}  // namespace nfconntrack
