#include "capture.h"

#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <cstring>

#include "options.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

using Octets = std::span<const std::uint8_t>;

// Room for 200 000 events at the 1280 bytes that each is charged for. It is a limit, not memory.
constexpr std::uint32_t kReceiveBuffer = 256U << 20;
constexpr int kAnswerTimeoutMs = 5000;
// More than any test's; a bound for the case that events come faster than they are read.
constexpr std::uint32_t kMostDrained = 2'000'000;

std::vector<std::uint32_t> groups_at(const Napi::CallbackInfo& info, std::size_t index) {
  std::vector<std::uint32_t> groups;
  if (info[index].IsUndefined()) return groups;
  const auto array = info[index].As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    groups.push_back(array.Get(i).As<Napi::Number>().Uint32Value());
  }
  return groups;
}

Octets octets_at(const Napi::CallbackInfo& info, std::size_t index) {
  if (info[index].IsUndefined()) return {};
  const auto array = info[index].As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

// A list of messages in the making.
class Messages {
 public:
  explicit Messages(Napi::Env env) : env_(env), array_(Napi::Array::New(env)) {}

  void add(const nlmsghdr& message) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&message);
    array_.Set(count_++, Napi::Buffer<std::uint8_t>::Copy(env_, octets, message.nlmsg_len));
  }
  [[nodiscard]] Napi::Array array() const { return array_; }
  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  Napi::Env env_;
  Napi::Array array_;
  std::uint32_t count_ = 0;
};

struct Request {
  std::uint16_t type;
  std::uint16_t flags;
  Octets payload;
};

std::uint32_t send_request(CtnetlinkSocket& socket, const Request& request) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + request.payload.size());
  header.nlmsg_type = request.type;
  header.nlmsg_flags = request.flags | NLM_F_REQUEST;
  header.nlmsg_seq = socket.next_sequence();
  std::vector<std::uint8_t> octets(header.nlmsg_len);
  std::memcpy(octets.data(), &header, sizeof header);
  if (!request.payload.empty()) {
    std::memcpy(octets.data() + sizeof header, request.payload.data(), request.payload.size());
  }
  socket.send(octets.data(), octets.size());
  return header.nlmsg_seq;
}

Verdict collect_answer(CtnetlinkSocket& socket, std::uint32_t sequence, Messages& messages) {
  std::optional<Verdict> verdict;
  while (!verdict) {
    const Octets datagram = socket.receive(kAnswerTimeoutMs);
    if (datagram.empty()) throw SystemError(ETIMEDOUT, "answer to a netlink request");
    for_each_message(datagram, [&](const nlmsghdr& message) {
      if (message.nlmsg_seq != sequence) return;
      if (is_verdict(message)) {
        verdict = read_verdict(message);
      } else {
        messages.add(message);
      }
    });
  }
  return *verdict;
}

std::vector<std::uint8_t> dump_payload(const Napi::CallbackInfo& info) {
  const Octets attributes = octets_at(info, 2);
  nfgenmsg header{};
  if (!info[1].IsUndefined()) {
    header.nfgen_family = static_cast<std::uint8_t>(info[1].As<Napi::Number>().Uint32Value());
  }
  std::vector<std::uint8_t> payload(sizeof header);
  std::memcpy(payload.data(), &header, sizeof header);
  payload.insert(payload.end(), attributes.begin(), attributes.end());
  return payload;
}

}  // namespace

Napi::Function Capture::define(Napi::Env env) {
  return DefineClass(env, "NetlinkCapture",
                     {
                         InstanceMethod<&Capture::drain>("drain"),
                         InstanceMethod<&Capture::dump>("dump"),
                         InstanceMethod<&Capture::request>("request"),
                         InstanceMethod<&Capture::close>("close"),
                         InstanceMethod<&Capture::drops>("drops"),
                         InstanceAccessor<&Capture::receive_buffer>("receiveBuffer"),
                     });
}

Capture::Capture(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Capture>(info) {
  guarded(info.Env(), [&] {
    const auto groups = groups_at(info, 0);
    const auto size = u32_or(options_at(info, 1), "receiveBuffer", kReceiveBuffer);
    sockets_.emplace(Sockets{CtnetlinkSocket(groups), CtnetlinkSocket()});
    receive_buffer_ = sockets_->events.enlarge_receive_buffer(static_cast<int>(size));
  });
}

Capture::Sockets& Capture::sockets() {
  if (!sockets_) throw SystemError(EBADF, "the capture is closed");
  return *sockets_;
}

Napi::Value Capture::drain(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    CtnetlinkSocket& socket = sockets().events;
    Messages messages(info.Env());
    int timeout = info[0].IsUndefined() ? 0 : info[0].As<Napi::Number>().Int32Value();
    for (Octets datagram = socket.receive(timeout); !datagram.empty();
         datagram = socket.receive(0)) {
      for_each_message(datagram, [&](const nlmsghdr& message) { messages.add(message); });
      if (messages.count() >= kMostDrained) break;
    }
    return messages.array();
  });
}

Napi::Value Capture::dump(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto type = static_cast<std::uint16_t>(info[0].As<Napi::Number>().Uint32Value());
    const auto payload = dump_payload(info);
    CtnetlinkSocket& socket = sockets().requests;
    Messages messages(info.Env());
    const auto sequence = send_request(socket, {type, NLM_F_DUMP, payload});
    const Verdict verdict = collect_answer(socket, sequence, messages);
    if (verdict.code != 0) throw SystemError(verdict.code, verdict.extack.value_or("dump"));
    return messages.array();
  });
}

Napi::Value Capture::request(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto type = static_cast<std::uint16_t>(info[0].As<Napi::Number>().Uint32Value());
    const auto flags = static_cast<std::uint16_t>(info[1].As<Napi::Number>().Uint32Value());
    CtnetlinkSocket& socket = sockets().requests;
    Messages messages(info.Env());
    const auto sequence = send_request(
        socket, {type, static_cast<std::uint16_t>(flags | NLM_F_ACK), octets_at(info, 2)});
    const Verdict verdict = collect_answer(socket, sequence, messages);
    Napi::Object answer = Napi::Object::New(info.Env());
    answer.Set("errno", Napi::Number::New(info.Env(), verdict.code));
    answer.Set("messages", messages.array());
    if (verdict.code != 0) answer.Set("code", errno_name(verdict.code));
    if (verdict.extack) answer.Set("extack", *verdict.extack);
    if (verdict.offset) answer.Set("offset", Napi::Number::New(info.Env(), *verdict.offset));
    return answer;
  });
}

Napi::Value Capture::close(const Napi::CallbackInfo& info) {
  sockets_.reset();
  return info.Env().Undefined();
}

Napi::Value Capture::drops(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return Napi::Number::New(info.Env(), sockets().events.drops());
  });
}

Napi::Value Capture::receive_buffer(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), receive_buffer_);
}

}  // namespace nfconntrack::testing
