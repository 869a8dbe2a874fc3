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

// Gathers the flows of datagrams into batches.
class Gatherer {
 public:
  Gatherer(FlowQueue& queue, bool drop_repeated)
      : queue_(queue),
        batch_(std::make_unique<FlowBatch>(kBatchSize)),
        drop_repeated_(drop_repeated) {}

  Failure add(const Message& message) {
    FlowRecord& record = batch_->append();
    if (!decode_flow(message.payload, record, batch_->tail())) {
      return Failure::of(EBADMSG, "netlink");
    }
    record.portid = message.header.nlmsg_pid;
    if (drop_repeated_ && recent_.seen(record)) {
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

 private:
  FlowQueue& queue_;
  std::unique_ptr<FlowBatch> batch_;
  const bool drop_repeated_;
  RecentFlows recent_;
  u64 batch_began_ = 0;
};

enum class Progress { kMore, kDone };

Progress take(Bytes datagram, u32 sequence, Gatherer& gatherer, Failure& failure) {
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
    failure = gatherer.add(message);
    if (!failure.ok()) return Progress::kDone;
  }
  if (!reader.complete()) {
    failure = Failure::of(EBADMSG, "netlink");
    return Progress::kDone;
  }
  gatherer.end_of_datagram();
  return Progress::kMore;
}

}  // namespace

Dump::Dump(std::shared_ptr<const Netns> netns, DumpRequest request, std::function<void()> wake)
    : netns_(std::move(netns)),
      request_(request),
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
    if (Failure failure = netns_->enter(); !failure.ok()) return failure;
    if (Failure failure = socket_.open(); !failure.ok()) return failure;
    if (Failure failure = request(); !failure.ok()) return failure;
    return read_all();
  } catch (const std::bad_alloc&) {
    return Failure::of(ENOMEM, "malloc");
  }
}

Failure Dump::request() {
  sequence_ = socket_.next_sequence();
  const Request request(ctnetlink::message_type(ctnetlink::kSubsystemFlow, request_.command),
                        NLM_F_DUMP, sequence_, request_.family);
  return socket_.send(request.bytes());
}

Failure Dump::read_all() {
  std::vector<u8> buffer(kDatagramSize);
  // A repeated flow of a zeroing dump carries what was counted since its first copy was zeroed.
  Gatherer gatherer(queue_, request_.command != ctnetlink::kGetZero);
  while (!stop_.is_set() && queue_.wait_for_room()) {
    const ssize_t received = socket_.receive(buffer, MSG_DONTWAIT);
    if (received < 0 && errno == EBADMSG) continue;
    if (received < 0 && errno == EAGAIN) {
      if (!stop_.wait_readable(socket_.fd())) break;
      continue;
    }
    if (received < 0) return Failure::last("recvfrom");
    if (static_cast<std::size_t>(received) > buffer.size())
      return Failure::of(EMSGSIZE, "recvfrom");
    Failure failure;
    const Bytes datagram(buffer.data(), static_cast<std::size_t>(received));
    if (take(datagram, sequence_, gatherer, failure) == Progress::kDone) {
      gatherer.hand_over();
      return failure;
    }
  }
  return Failure::of(ECANCELED, "netlink");
}

}  // namespace nfconntrack
