// A batch that came from elsewhere: every length in it is checked before it is believed.
#pragma once

#include "attribute.h"
#include "record.h"

namespace nfconntrack {

template <typename Record>
class RecordBatchView {
 public:
  // False: `bytes` are no batch of such records.
  [[nodiscard]] bool open(Bytes bytes);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Record record(std::size_t index) const;
  // The payload of the first tail entry of `type`; false if there is none.
  bool find(const Record& record, u8 type, Bytes& payload) const;
  // The same for a fixed-size payload; false also if it has another size.
  template <typename Value>
  bool find_value(const Record& record, u8 type, Value& value) const {
    Bytes payload;
    if (!find(record, type, payload) || payload.size() != sizeof value) return false;
    std::memcpy(&value, payload.data(), sizeof value);
    return true;
  }

 private:
  Bytes records_;
  Bytes tail_;
  std::size_t size_ = 0;
};

// Of flows, as most are.
using BatchView = RecordBatchView<FlowRecord>;
using ExpectationBatchView = RecordBatchView<ExpectationRecord>;

}  // namespace nfconntrack
