// Reads a dump of the kernel's flows: asks, receives, decodes, filters, and gathers batches.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "filter.h"
#include "kernel_filter.h"
#include "message.h"
#include "netlink_socket.h"
#include "recent_flows.h"
#include "record_batch.h"
#include "stop_event.h"

namespace nfconntrack {

struct ListRequest {
  int command = 0;  // ctnetlink::kGet, kGetZero, kGetDying or kGetUnconfirmed
  // What the kernel is asked to leave out; it need not leave out anything.
  KernelFilter kernel;
  // What is wanted; null: everything.
  std::shared_ptr<const Filter> filter;
};

class FlowLister {
 public:
  static constexpr std::size_t kBatchSize = 1024;

  // What becomes of the flows.
  struct Sink {
    // Called before more is received; false ends the listing (ECANCELED).
    std::function<bool()> ready;
    // Takes a batch, and gives an empty one.
    std::function<std::unique_ptr<FlowBatch>(std::unique_ptr<FlowBatch>)> take;
  };

  FlowLister(NetlinkSocket& socket, const StopEvent& stop, const ListRequest& request, Sink sink);

  // Lists everything there is; blocks until then, or until `stop` is set.
  Failure run();

  // Flows that the kernel has sent.
  [[nodiscard]] u64 scanned() const { return scanned_; }

 private:
  enum class Progress { kMore, kDone };

  Failure dump(const KernelFilter& kernel);
  Failure receive();
  Progress take(Bytes datagram, Failure& failure);
  Failure add(const Message& message);
  bool is_wanted(const FlowRecord& record);
  void end_of_datagram();
  void hand_over();

  NetlinkSocket& socket_;
  const StopEvent& stop_;
  const ListRequest& request_;
  const Sink sink_;
  std::vector<u8> buffer_;
  std::unique_ptr<FlowBatch> batch_;
  RecentFlows recent_;
  u64 batch_began_ = 0;
  u64 scanned_ = 0;
  u32 sequence_ = 0;
};

}  // namespace nfconntrack
