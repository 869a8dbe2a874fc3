#include "dump.h"

#include <new>

namespace nfconntrack {
namespace {

constexpr std::size_t kQueueLimit = 4 * FlowLister::kBatchSize;

}  // namespace

Dump::Dump(std::shared_ptr<const Netns> netns, ListRequest request, std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(std::move(request)),
      queue_(FlowLister::kBatchSize, kQueueLimit, std::move(wake)) {}

Failure Dump::start() {
  if (Failure failure = stop_.open(); !failure.ok()) return failure;
  return thread_.start("nfct-dump", [this] { queue_.finish(run()); });
}

void Dump::stop() {
  stop_.set();
  queue_.stop();
  thread_.join();
}

Failure Dump::run() {
  try {
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (Failure failure = socket_.open(); !failure.ok()) return failure;
    FlowLister::Sink sink{
        [this] { return queue_.wait_for_room(); },
        [this](std::unique_ptr<FlowBatch> batch) { return queue_.exchange(std::move(batch)); }};
    return FlowLister(socket_, stop_, request_, std::move(sink)).run();
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

}  // namespace nfconntrack
