#include "flow_lister.h"

#include <sys/socket.h>

#include "clock.h"
#include "ctnetlink.h"
#include "exchange.h"
#include "flow_decoder.h"

namespace nfconntrack {
namespace {

// The kernel fills datagrams of up to 32 KiB for a reader whose buffer is as large.
constexpr std::size_t kDatagramSize = 65536;
// A batch that fills slowly, since few flows match, is handed over after this long.
constexpr u64 kMaxBatchAge = 5'000'000;  // ns

// What a kernel answers that does not know a filter, or not this one.
bool is_refusal(const Failure& failure) {
  return failure.code == EOPNOTSUPP || failure.code == EINVAL;
}

}  // namespace

FlowLister::FlowLister(NetlinkSocket& socket, const StopEvent& stop, const ListRequest& request,
                       Sink sink)
    : socket_(socket),
      stop_(stop),
      request_(request),
      sink_(std::move(sink)),
      buffer_(kDatagramSize),
      batch_(std::make_unique<FlowBatch>(kBatchSize)) {}

Failure FlowLister::run() {
  Failure failure;
  for (const KernelFilter& kernel : request_.kernel.by_family()) {
    failure = dump(kernel);
    if (is_refusal(failure) && kernel.narrows()) failure = dump(kernel.only_family());
    if (!failure.ok()) break;
  }
  hand_over();
  return failure;
}

Failure FlowLister::dump(const KernelFilter& kernel) {
  sequence_ = socket_.next_sequence();
  Request request(ctnetlink::message_type(ctnetlink::kSubsystemFlow, request_.command), NLM_F_DUMP,
                  sequence_, kernel.family());
  kernel.put(request);
  const Bytes bytes = request.bytes();
  if (bytes.empty()) return Failure::of(EMSGSIZE, "netlink");
  if (Failure failure = socket_.send(bytes); !failure.ok()) return failure;
  return receive();
}

Failure FlowLister::receive() {
  while (!stop_.is_set() && sink_.ready()) {
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
    if (take(datagram, failure) == Progress::kDone) return failure;
  }
  return Failure::of(ECANCELED, "netlink");
}

FlowLister::Progress FlowLister::take(Bytes datagram, Failure& failure) {
  MessageReader reader(datagram);
  while (reader.next()) {
    const Message& message = reader.message();
    if (message.header.nlmsg_seq != sequence_) continue;
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

Failure FlowLister::add(const Message& message) {
  ++scanned_;
  FlowRecord& record = batch_->append();
  if (!decode_flow(message.payload, record, batch_->tail())) return Failure::of(EBADMSG, "netlink");
  record.portid = message.header.nlmsg_pid;
  if (!is_wanted(record)) {
    batch_->tail().truncate(record.tailOffset);
    batch_->drop_last();
  }
  if (batch_->size() == kBatchSize) hand_over();
  return {};
}

bool FlowLister::is_wanted(const FlowRecord& record) {
  if (request_.filter != nullptr && !request_.filter->matches(record, batch_->tail())) return false;
  // A repeated flow of a zeroing dump carries what was counted since its first copy was zeroed.
  return request_.command == ctnetlink::kGetZero || !recent_.seen(record);
}

void FlowLister::end_of_datagram() {
  recent_.next_datagram();
  const u64 time = now();
  if (batch_->empty()) {
    batch_began_ = time;
  } else if (time - batch_began_ > kMaxBatchAge) {
    hand_over();
    batch_began_ = time;
  }
}

void FlowLister::hand_over() {
  if (!batch_->empty()) batch_ = sink_.take(std::move(batch_));
}

}  // namespace nfconntrack
