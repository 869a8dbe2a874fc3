// What a dump and a subscription have in common: a thread that reads flows into a queue.
#pragma once

#include "flow_queue.h"

namespace nfconntrack {

class FlowReader {
 public:
  FlowReader() = default;
  virtual ~FlowReader() = default;
  FlowReader(const FlowReader&) = delete;
  FlowReader& operator=(const FlowReader&) = delete;

  // Starts the thread.
  virtual Failure start() = 0;
  // Ends and joins it; may be called again. Every class that starts a thread calls it in its own
  // destructor, while its members still stand.
  virtual void stop() = 0;
  [[nodiscard]] virtual FlowQueue& queue() = 0;
};

}  // namespace nfconntrack
