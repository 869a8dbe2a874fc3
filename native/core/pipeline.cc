#include "pipeline.h"

#include <sys/socket.h>

#include <algorithm>

namespace nfconntrack {
namespace {

constexpr std::size_t kMaxBytes = 65536;
constexpr std::size_t kDatagramSize = 65536;

}  // namespace

Pipeline::Pipeline(const NetlinkSocket& socket, OnFailure on_failure, OnMessage on_message)
    : socket_(socket),
      on_failure_(std::move(on_failure)),
      on_message_(std::move(on_message)),
      in_(kDatagramSize) {
  pending_.reserve(kMaxRequests);
}

Failure Pipeline::add(u32 entry, const Request& request) {
  const Bytes bytes = request.bytes();
  if (bytes.empty()) {
    on_failure_(entry, Failure::of(EMSGSIZE, "netlink"));
    return {};
  }
  if (out_.size() + bytes.size() > kMaxBytes) {
    if (Failure failure = finish(); !failure.ok()) return failure;
  }
  nlmsghdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  last_header_ = out_.size();
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  pending_.push_back({entry, header.nlmsg_seq});
  return pending_.size() == kMaxRequests ? finish() : Failure{};
}

Failure Pipeline::finish() {
  if (pending_.empty()) return {};
  nlmsghdr last;
  std::memcpy(&last, out_.data() + last_header_, sizeof last);
  last.nlmsg_flags |= NLM_F_ACK;
  std::memcpy(out_.data() + last_header_, &last, sizeof last);
  Failure failure = socket_.send(out_);
  if (failure.ok()) failure = receive();
  out_.clear();
  pending_.clear();
  return failure;
}

Failure Pipeline::receive() {
  for (;;) {
    const ssize_t received = socket_.receive(in_, 0);
    if (received < 0 && errno == EBADMSG) continue;
    if (received < 0) return Failure::last("recvfrom");
    if (static_cast<std::size_t>(received) > in_.size()) return Failure::of(EMSGSIZE, "recvfrom");
    if (take(Bytes(in_).first(static_cast<std::size_t>(received)))) return {};
  }
}

// True once the last request is answered.
bool Pipeline::take(Bytes datagram) {
  bool last = false;
  MessageReader reader(datagram);
  while (reader.next()) {
    const Message& message = reader.message();
    if (message.header.nlmsg_type == NLMSG_ERROR) {
      report(message);
      last |= message.header.nlmsg_seq == pending_.back().sequence;
    } else if (message.header.nlmsg_type >= NLMSG_MIN_TYPE && on_message_) {
      on_message_(message);
    }
  }
  return last;
}

void Pipeline::report(const Message& message) {
  const auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
    return pending.sequence == message.header.nlmsg_seq;
  });
  if (found == pending_.end()) return;
  Failure failure = reported_by(message, "netlink");
  if (!failure.ok()) on_failure_(found->entry, std::move(failure));
}

}  // namespace nfconntrack
