// A dump of one of the kernel's tables of flows, read on a thread of its own.
//
// Lifetime rules
// 1. The thread belongs to the Dump; stop() ends and joins it, as the destructor does.
// 2. The thread uses only the Dump's own members. Memory stays bounded: it stops reading the kernel
//    while `kQueueLimit` records wait, and the kernel keeps the dump's place for as long.
#pragma once

#include <functional>
#include <memory>

#include "filter.h"
#include "flow_reader.h"
#include "kernel_filter.h"
#include "netlink_socket.h"
#include "netns.h"
#include "stop_event.h"
#include "thread.h"

namespace nfconntrack {

struct DumpRequest {
  int command = 0;  // ctnetlink::kGet, kGetZero, kGetDying or kGetUnconfirmed
  // What the kernel is asked to leave out; it need not leave out anything.
  KernelFilter kernel;
  // What is wanted; null: everything.
  std::shared_ptr<const Filter> filter;
};

class Dump final : public FlowReader {
 public:
  Dump(std::shared_ptr<const Netns> netns, DumpRequest request, std::function<void()> wake);
  ~Dump() override { Dump::stop(); }

  Failure start() override;
  void stop() override;
  [[nodiscard]] FlowQueue& queue() override { return queue_; }

 private:
  class Gatherer;

  Failure run();
  Failure dump(const KernelFilter& kernel, Gatherer& gatherer);
  Failure read_all(Gatherer& gatherer);

  const std::shared_ptr<const Netns> netns_;
  const DumpRequest request_;
  FlowQueue queue_;
  NetlinkSocket socket_;
  u32 sequence_ = 0;
  std::vector<u8> buffer_;
  StopEvent stop_;
  Thread thread_;
};

}  // namespace nfconntrack
