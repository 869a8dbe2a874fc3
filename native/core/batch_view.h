// A batch that came from elsewhere: every length in it is checked before it is believed.
#pragma once

#include "attribute.h"
#include "record_view.h"

namespace nfconntrack {

template <typename Record>
class RecordBatchView {
 public:
  // False: `bytes` are no batch of such records.
  [[nodiscard]] bool open(Bytes bytes);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Record record(std::size_t index) const;
  // A record together with its tail.
  [[nodiscard]] RecordView<Record> view(std::size_t index) const {
    const Record found = record(index);
    return {found, tail_of(found)};
  }
  // The payload of the first tail entry of `type`; false if there is none.
  bool find(const Record& record, u8 type, Bytes& payload) const {
    return find_tail_entry(tail_of(record), type, payload);
  }
  // The same for a fixed-size payload; false also if it has another size.
  template <typename Value>
  bool find_value(const Record& record, u8 type, Value& value) const {
    return find_tail_value(tail_of(record), type, value);
  }

 private:
  // Empty also where the record's offsets lie.
  [[nodiscard]] Bytes tail_of(const Record& record) const;

  Bytes records_;
  Bytes tail_;
  std::size_t size_ = 0;
};

// Of flows, as most are.
using BatchView = RecordBatchView<FlowRecord>;
using ExpectationBatchView = RecordBatchView<ExpectationRecord>;

}  // namespace nfconntrack
