#include "batch_view.h"

namespace nfconntrack {

template <typename Record>
bool RecordBatchView<Record>::open(Bytes bytes) {
  BatchRecord header;
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  const Bytes body = bytes.subspan(sizeof header);
  const u64 records_size = u64{header.length} * sizeof(Record);
  if (header.stride != sizeof(Record) || records_size > body.size()) return false;
  if (header.tailStart != sizeof header + records_size) return false;
  if (header.tailLength != body.size() - records_size) return false;
  records_ = body.first(records_size);
  tail_ = body.subspan(records_size);
  size_ = header.length;
  return true;
}

template <typename Record>
Record RecordBatchView<Record>::record(std::size_t index) const {
  Record record;
  std::memcpy(&record, records_.data() + index * sizeof record, sizeof record);
  return record;
}

template <typename Record>
Bytes RecordBatchView<Record>::tail_of(const Record& record) const {
  if (record.tailOffset > tail_.size() || record.tailLength > tail_.size() - record.tailOffset) {
    return {};
  }
  return tail_.subspan(record.tailOffset, record.tailLength);
}

template class RecordBatchView<FlowRecord>;
template class RecordBatchView<ExpectationRecord>;

}  // namespace nfconntrack
