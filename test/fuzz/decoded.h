// A decoded message, held against what every decoder promises.
#pragma once

#include "batch_view.h"
#include "fuzz_input.h"

namespace nfconntrack::fuzz {

template <typename Record>
using Decoder = bool (*)(Bytes payload, Record& record, Tail& tail);

// Whatever the message, the batch that JavaScript gets is one that the checks of batches take.
template <typename Record>
void check_batch(const RecordBatch<Record>& batch) {
  std::vector<u8> bytes(batch.byte_size());
  batch.write(bytes.data());
  RecordBatchView<Record> view;
  require(view.open(bytes));
  require(view.size() == batch.size());
  u64 total = 0;
  for (std::size_t i = 0; i < view.size(); ++i) {
    const Record record = view.record(i);
    require(u64{record.tailOffset} + record.tailLength <= batch.tail().size());
    for (u8 type = 0; type < kTailTypes; ++type) {
      Bytes here;
      Bytes there;
      const bool found = batch.tail().find(record, type, here);
      require(found == view.find(record, type, there));
      if (!found) continue;
      require(here.size() == there.size());
      total += sum(here);
    }
  }
  // Read, and therefore not optimized away.
  require(total != UINT64_MAX);
}

// Two in one batch, so that the second one's tail starts behind the first one's.
template <typename Record>
void check_decoder(Bytes payload, Decoder<Record> decode) {
  RecordBatch<Record> batch(2);
  const bool whole = decode(payload, batch.append(), batch.tail());
  require(decode(payload, batch.append(), batch.tail()) == whole);
  check_batch(batch);
}

}  // namespace nfconntrack::fuzz
