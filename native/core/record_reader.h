// What a dump and a subscription have in common: a thread that reads records into a queue.
#pragma once

#include "record_queue.h"

namespace nfconntrack {

template <typename Record>
class RecordReader {
 public:
  RecordReader() = default;
  virtual ~RecordReader() = default;
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  // Starts the thread.
  virtual Failure start() = 0;
  // Ends and joins it; may be called again. Every class that starts a thread calls it in its own
  // destructor, while its members still stand.
  virtual void stop() = 0;
  [[nodiscard]] virtual RecordQueue<Record>& queue() = 0;
  // Called before the consumer takes a batch.
  virtual void refill() {}
};

using FlowReader = RecordReader<FlowRecord>;

}  // namespace nfconntrack
