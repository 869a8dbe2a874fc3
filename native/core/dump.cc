#include "dump.h"

#include <sys/socket.h>

#include "clock.h"
#include "ctnetlink.h"
#include "exchange.h"
#include "flow_decoder.h"
#include "recent_flows.h"

namespace nfconntrack {
namespace {

constexpr std::size_t kBatchSize = 1024;
constexpr std::size_t kQueueLimit = 4 * kBatchSize;
// The kernel fills datagrams of up to 32 KiB for a reader whose buffer is as large.
constexpr std::size_t kDatagramSize = 65536;
// A batch that fills slowly, since few flows match, is handed over after this long.
constexpr u64 kMaxBatchAge = 5'000'000;  // ns

enum class Progress { kMore, kDone };

// What a kernel answers that does not know a filter, or not this one.
bool is_refusal(const Failure& failure) {
  return failure.code == EOPNOTSUPP || failure.code == EINVAL;
}

}  // namespace

// Gathers the flows of datagrams into batches.
class Dump::Gatherer {
 public:
  Gatherer(FlowQueue& queue, const DumpRequest& request)
      : queue_(queue),
        batch_(std::make_unique<FlowBatch>(kBatchSize)),
        filter_(request.filter.get()),
        // A repeated flow of a zeroing dump carries what was counted since its first copy was zeroed.
        drop_repeated_(request.command != ctnetlink::kGetZero) {}

  Failure add(const Message& message) {
    FlowRecord& record = batch_->append();
    if (!decode_flow(message.payload, record, batch_->tail())) {
      return Failure::of(EBADMSG, "netlink");
    }
    record.portid = message.header.nlmsg_pid;
    if (!is_wanted(record)) {
      batch_->tail().truncate(record.tailOffset);
      batch_->drop_last();
    }
    if (batch_->size() == kBatchSize) hand_over();
    return {};
  }

  void end_of_datagram() {
    recent_.next_datagram();
    const u64 time = now();
    if (batch_->empty()) {
      batch_began_ = time;
    } else if (time - batch_began_ > kMaxBatchAge) {
      hand_over();
      batch_began_ = time;
    }
  }

  void hand_over() {
    if (!batch_->empty()) batch_ = queue_.exchange(std::move(batch_));
  }

  // Takes the flows of a datagram; kDone at the end of the dump, or at `failure`.
  Progress take(Bytes datagram, u32 sequence, Failure& failure) {
    MessageReader reader(datagram);
    while (reader.next()) {
      const Message& message = reader.message();
      if (message.header.nlmsg_seq != sequence) continue;
      const u16 type = message.header.nlmsg_type;
      if (type == NLMSG_ERROR || type == NLMSG_DONE) {
        failure = reported_by(message, "netlink");
        return Progress::kDone;
      }
      if (type < NLMSG_MIN_TYPE) continue;
      failure = add(message);
      if (!failure.ok()) return Progress::kDone;
    }
    if (!reader.complete()) {
      failure = Failure::of(EBADMSG, "netlink");
      return Progress::kDone;
    }
    end_of_datagram();
    return Progress::kMore;
  }

 private:
  bool is_wanted(const FlowRecord& record) {
    if (filter_ != nullptr && !filter_->matches(record, batch_->tail())) return false;
    return !drop_repeated_ || !recent_.seen(record);
  }

  FlowQueue& queue_;
  std::unique_ptr<FlowBatch> batch_;
  const Filter* const filter_;
  const bool drop_repeated_;
  RecentFlows recent_;
  u64 batch_began_ = 0;
};

Dump::Dump(std::shared_ptr<const Netns> netns, DumpRequest request, std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(std::move(request)),
      queue_(kBatchSize, kQueueLimit, std::move(wake)) {}

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
    buffer_.resize(kDatagramSize);
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (Failure failure = socket_.open(); !failure.ok()) return failure;
    Gatherer gatherer(queue_, request_);
    Failure failure;
    for (const KernelFilter& kernel : request_.kernel.by_family()) {
      failure = dump(kernel, gatherer);
      if (is_refusal(failure) && kernel.narrows()) failure = dump(kernel.only_family(), gatherer);
      if (!failure.ok()) break;
    }
    gatherer.hand_over();
    return failure;
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

Failure Dump::dump(const KernelFilter& kernel, Gatherer& gatherer) {
  sequence_ = socket_.next_sequence();
  Request request(ctnetlink::message_type(ctnetlink::kSubsystemFlow, request_.command), NLM_F_DUMP,
                  sequence_, kernel.family());
  kernel.put(request);
  const Bytes bytes = request.bytes();
  if (bytes.empty()) return Failure::of(EMSGSIZE, "netlink");
  if (Failure failure = socket_.send(bytes); !failure.ok()) return failure;
  return read_all(gatherer);
}

Failure Dump::read_all(Gatherer& gatherer) {
  while (!stop_.is_set() && queue_.wait_for_room()) {
    const ssize_t received = socket_.receive(buffer_, MSG_DONTWAIT);
    if (received < 0 && errno == EBADMSG) continue;
    if (received < 0 && errno == EAGAIN) {
      if (!stop_.wait_readable(socket_.fd())) break;
      continue;
    }
    if (received < 0) return Failure::last("recvfrom");
    if (static_cast<std::size_t>(received) > buffer_.size()) {
      return Failure::of(EMSGSIZE, "recvfrom");
    }
    Failure failure;
    const Bytes datagram(buffer_.data(), static_cast<std::size_t>(received));
    if (gatherer.take(datagram, sequence_, failure) == Progress::kDone) return failure;
  }
  return Failure::of(ECANCELED, "netlink");
}

}  // namespace nfconntrack
