// Deletes or changes every flow that a filter matches, on a thread of its own.
//
// It lists, matches natively, and sends a request for each match, by original tuple and zone, and
// for a delete with the id, so that a flow that has taken the place of the matched one is left
// alone. The kernel's own filtered delete is not used: it has no id, cannot tell how many it
// deleted when flows lack the event extension (nf_conntrack_events=2), and its comparison of IPv6
// addresses is inverted.
//
// Lifetime rules
// 1. The thread belongs to the Sweep; stop() ends and joins it, as the destructor does.
// 2. What was done until then stays done; progress() tells of it, during and after.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "batch_view.h"
#include "flow_lister.h"
#include "netns.h"
#include "pipeline.h"
#include "record_reader.h"
#include "thread.h"

namespace nfconntrack {

enum class SweepAction {
  kCount,  // changes nothing
  kDelete,
  kUpdate,
};
inline constexpr int kSweepActionCount = 3;

struct SweepRequest {
  ListRequest list;
  SweepAction action = SweepAction::kCount;
  u64 limit = 0;  // ends after so many matches; 0: no limit
  // Puts the flows into the queue: as their deletion reported them (NLM_F_ECHO), or else as they
  // were listed.
  bool receipts = false;
  // For kUpdate: a batch of one flow that holds the changes, and the bits to set and clear in each
  // status.
  std::vector<u8> changes;
  u32 status_set = 0;
  u32 status_clear = 0;
};

struct SweepProgress {
  u64 scanned = 0;  // sent by the kernel
  u64 matched = 0;
  u64 done = 0;
  u64 gone = 0;  // no longer there when their turn came
  u64 failed = 0;
};

class Sweep final : public FlowReader {
 public:
  Sweep(std::shared_ptr<const Netns> netns, SweepRequest request, std::function<void()> wake);
  ~Sweep() override { Sweep::stop(); }

  Failure start() override;
  void stop() override;
  [[nodiscard]] FlowQueue& queue() override { return queue_; }
  [[nodiscard]] SweepProgress progress() const;
  // The port that its changes come from; 0 until they can. On any thread.
  [[nodiscard]] u32 portid() const { return portid_; }
  // Why flows failed: the first few.
  [[nodiscard]] std::vector<Failure> failures();

 private:
  enum class Fate : u8 { kDone, kGone, kFailed };

  Failure run();
  Failure list();
  std::unique_ptr<FlowBatch> take(std::unique_ptr<FlowBatch> batch);
  Failure act(const FlowBatch& batch, std::size_t count);
  [[nodiscard]] int refusal_of(const FlowRecord& flow) const;
  [[nodiscard]] u32 changed_status(const FlowRecord& flow) const;
  Request request_for(const FlowRecord& flow, u32 sequence) const;
  void give_up();
  void refused(u32 index, Failure failure);
  void echoed(const Message& message, const FlowBatch& batch);
  void hand_over_receipts(const FlowBatch& batch, std::size_t count);

  const std::shared_ptr<const Netns> netns_;
  const SweepRequest request_;
  FlowQueue queue_;
  NetlinkSocket list_socket_;
  NetlinkSocket change_socket_;
  std::atomic<u32> portid_ = 0;
  StopEvent stop_;
  BatchView changes_;

  // Of the batch in hand: what became of its flows, and of which the receipt has come.
  std::vector<Fate> fates_;
  std::vector<bool> has_receipt_;
  std::unique_ptr<FlowBatch> receipts_;
  u32 next_ = 0;  // the flow after the last one that a request was made for
  Failure failure_;
  bool full_ = false;

  std::atomic<u64> scanned_ = 0;
  std::atomic<u64> matched_ = 0;
  std::atomic<u64> done_ = 0;
  std::atomic<u64> gone_ = 0;
  std::atomic<u64> failed_ = 0;
  std::mutex mutex_;
  std::vector<Failure> failures_;
  Thread thread_;
};

}  // namespace nfconntrack
