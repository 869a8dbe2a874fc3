// A dump of one of the kernel's tables of flows, read on a thread of its own.
//
// Lifetime rules
// 1. The thread belongs to the Dump; stop() ends and joins it, as the destructor does.
// 2. The thread uses only the Dump's own members. Memory stays bounded: it stops reading the kernel
//    while a few thousand records wait, and the kernel keeps the dump's place for as long.
#pragma once

#include <functional>
#include <memory>

#include "flow_lister.h"
#include "netns.h"
#include "record_reader.h"
#include "thread.h"

namespace nfconntrack {

class Dump final : public FlowReader {
 public:
  Dump(std::shared_ptr<const Netns> netns, ListRequest request, std::function<void()> wake);
  ~Dump() override { Dump::stop(); }

  Failure start() override;
  void stop() override;
  [[nodiscard]] FlowQueue& queue() override { return queue_; }

 private:
  Failure run();

  const std::shared_ptr<const Netns> netns_;
  const ListRequest request_;
  FlowQueue queue_;
  NetlinkSocket socket_;
  StopEvent stop_;
  Thread thread_;
};

}  // namespace nfconntrack
