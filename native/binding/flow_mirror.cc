#include "flow_mirror.h"

#include "arguments.h"
#include "control.h"
#include "ctnetlink.h"
#include "shared_reader.h"

namespace nfconntrack::binding {
namespace {

constexpr napi_type_tag kTag = {0x6e66636f6e6e7472, 0x4d6972726f720001};

constexpr double kEnded = -1;

std::span<u8> memory_of(Napi::Uint8Array array) { return {array.Data(), array.ByteLength()}; }

}  // namespace

Napi::Function FlowMirror::define(Napi::Env env) {
  return DefineClass(env, "FlowMirror",
                     {
                         InstanceMethod<&FlowMirror::start>("start"),
                         InstanceMethod<&FlowMirror::buffers>("buffers"),
                         InstanceMethod<&FlowMirror::started>("started"),
                         InstanceMethod<&FlowMirror::size>("size"),
                         InstanceMethod<&FlowMirror::consistent>("consistent"),
                         InstanceMethod<&FlowMirror::find>("find"),
                         InstanceMethod<&FlowMirror::list>("list"),
                         InstanceMethod<&FlowMirror::statistics>("statistics"),
                         InstanceMethod<&FlowMirror::take>("take"),
                         InstanceMethod<&FlowMirror::outcome>("outcome"),
                         InstanceMethod<&FlowMirror::wait>("wait"),
                         InstanceMethod<&FlowMirror::close>("close"),
                     });
}

FlowMirror::FlowMirror(const Napi::CallbackInfo& info)
    : ObjectWrap(info), handle_(info.Env(), *this, "nfconntrack.mirror") {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

std::shared_ptr<Mirror> FlowMirror::from(const Napi::Value& value) {
  if (value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    const FlowMirror* mirror = Unwrap(value.As<Napi::Object>());
    if (mirror != nullptr && mirror->mirror_ != nullptr) return mirror->mirror_;
  }
  Napi::TypeError::New(value.Env(), "not an open FlowMirror of this addon")
      .ThrowAsJavaScriptException();
  return nullptr;
}

// start(control, pattern, markMask, statusMask, scope, filter, socketFilter, receiveBuffer,
// maxReceiveBuffer, reliable, maxFlows, resyncInterval): [errno, syscall, detail]
Napi::Value FlowMirror::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Control* control = Control::from(info[0]);
  if (control == nullptr) return env.Undefined();
  MirrorRequest request;
  request.list.command = ctnetlink::kGet;
  const auto kernel = kernel_filter_argument(info, 1);
  if (!kernel) return env.Undefined();
  request.list.kernel = *kernel;
  auto scope = filter_argument(info, 4);
  if (!scope) return env.Undefined();
  request.list.filter = std::move(*scope);
  auto filter = filter_argument(info, 5);
  if (!filter) return env.Undefined();
  request.filter = std::move(*filter);
  const auto socket_filter = any_bytes_argument(info, 6);
  if (!socket_filter) return env.Undefined();
  request.socket.socket_filter.assign(socket_filter->begin(), socket_filter->end());
  const auto receive_buffer = number_argument(info, 7, 0, INT32_MAX);
  if (!receive_buffer) return env.Undefined();
  request.socket.receive_buffer = static_cast<u32>(*receive_buffer);
  const auto max_receive_buffer = number_argument(info, 8, 0, INT32_MAX);
  if (!max_receive_buffer) return env.Undefined();
  request.socket.max_receive_buffer = static_cast<u32>(*max_receive_buffer);
  request.socket.reliable = info[9].ToBoolean();
  const auto max_flows = number_argument(info, 10, 1, UINT32_MAX);
  if (!max_flows) return env.Undefined();
  request.max_flows = static_cast<u64>(*max_flows);
  const auto interval = number_argument(info, 11, 0, INT32_MAX);
  if (!interval) return env.Undefined();
  request.resync_interval = static_cast<u32>(*interval);
  request.socket.groups =
      1U << ctnetlink::kGroupNew | 1U << ctnetlink::kGroupUpdate | 1U << ctnetlink::kGroupDestroy;
  auto mirror = std::make_shared<Mirror>(control->netns(), std::move(request), handle_.wake());
  const Failure failure = handle_.start(std::make_unique<SharedReader<Mirror>>(mirror));
  if (failure.code != EALREADY) mirror_ = std::move(mirror);
  return to_js(env, failure);
}

// buffers(key, answer): where find() finds a FlowRecord, and puts one with its tail
Napi::Value FlowMirror::buffers(const Napi::CallbackInfo& info) {
  const auto key = bytes_argument(info, 0, sizeof(FlowRecord));
  if (!key) return info.Env().Undefined();
  const auto answer = any_bytes_argument(info, 1);
  if (!answer) return info.Env().Undefined();
  auto key_array = info[0].As<Napi::Uint8Array>();
  auto answer_array = info[1].As<Napi::Uint8Array>();
  key_ = Napi::Persistent(key_array);
  answer_ = Napi::Persistent(answer_array);
  return info.Env().Undefined();
}

// started(): [errno, syscall, detail] once it is known, undefined before
Napi::Value FlowMirror::started(const Napi::CallbackInfo& info) {
  if (mirror_ == nullptr) return info.Env().Undefined();
  Failure failure;
  if (mirror_->queue().finished(failure) || mirror_->started()) {
    return to_js(info.Env(), failure);
  }
  return info.Env().Undefined();
}

Napi::Value FlowMirror::size(const Napi::CallbackInfo& info) {
  const bool open = mirror_ != nullptr && !mirror_->ended();
  return Napi::Number::New(info.Env(), open ? static_cast<double>(mirror_->size()) : kEnded);
}

Napi::Value FlowMirror::consistent(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), mirror_ != nullptr && mirror_->consistent());
}

// find(): bytes of what is now in the answer's buffer, or, if it is too small, would be; 0: there
// is no such flow; -1: the mirror has ended
Napi::Value FlowMirror::find(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (mirror_ == nullptr || mirror_->ended() || key_.IsEmpty()) {
    return Napi::Number::New(env, kEnded);
  }
  // Where they lie is asked each time: JavaScript may have given their memory away since.
  const Bytes key_bytes = memory_of(key_.Value());
  const std::span<u8> answer_bytes = memory_of(answer_.Value());
  FlowRecord key;
  if (key_bytes.size() != sizeof key) return Napi::Number::New(env, kEnded);
  std::memcpy(&key, key_bytes.data(), sizeof key);
  if (!mirror_->find(key, found_)) return Napi::Number::New(env, 0);
  const std::size_t size = found_.flat_size();
  if (size <= answer_bytes.size()) found_.write(answer_bytes.data());
  return Napi::Number::New(env, static_cast<double>(size));
}

// list(part, filter): [next part, batch]; no next part (-1): it was the last
Napi::Value FlowMirror::list(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto first = number_argument(info, 0, 0, FlowTable::kParts);
  if (!first) return env.Undefined();
  const auto filter = filter_argument(info, 1);
  if (!filter) return env.Undefined();
  Napi::Array result = Napi::Array::New(env, 2);
  FlowBatch batch(FlowLister::kBatchSize);
  u32 part = static_cast<u32>(*first);
  const bool more = mirror_ != nullptr && mirror_->list(part, filter->get(), batch);
  result[0U] = Napi::Number::New(env, more ? part : kEnded);
  result[1U] = to_js(env, batch);
  return result;
}

// statistics(): [flows, kept, bytes, received, filtered, malformed, kernelDrops, gaps, dumps,
// failedDumps, synthetic, asked, lastDump, receiveBuffer, reliable, dumping]
Napi::Value FlowMirror::statistics(const Napi::CallbackInfo& info) {
  if (mirror_ != nullptr) last_statistics_ = mirror_->statistics();
  const MirrorStatistics& now = last_statistics_;
  return to_js(info.Env(),
               {now.flows, now.kept, now.bytes, now.received, now.filtered, now.malformed,
                now.kernel_drops, now.gaps, now.dumps, now.failed_dumps, now.synthetic, now.asked,
                now.last_dump, now.receive_buffer, u64{now.reliable}, u64{now.dumping}});
}

// wait(waiting, keepAlive)
Napi::Value FlowMirror::wait(const Napi::CallbackInfo& info) {
  handle_.wait(info.Env(), info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

// What was counted until then can still be read.
Napi::Value FlowMirror::close(const Napi::CallbackInfo& info) {
  if (mirror_ != nullptr) {
    last_statistics_ = mirror_->statistics();
    mirror_->stop();
    mirror_ = nullptr;
  }
  key_.Reset();
  answer_.Reset();
  handle_.close();
  return info.Env().Undefined();
}

Napi::Function MirrorChanges::define(Napi::Env env) {
  return DefineClass(env, "MirrorChanges",
                     {
                         InstanceMethod<&MirrorChanges::start>("start"),
                         InstanceMethod<&MirrorChanges::statistics>("statistics"),
                         InstanceMethod<&MirrorChanges::take>("take"),
                         InstanceMethod<&MirrorChanges::outcome>("outcome"),
                         InstanceMethod<&MirrorChanges::wait>("wait"),
                         InstanceMethod<&MirrorChanges::close>("close"),
                     });
}

// start(mirror, queueLimit, eventKinds, filter): [errno, syscall, detail]
Napi::Value MirrorChanges::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::shared_ptr<Mirror> mirror = FlowMirror::from(info[0]);
  if (mirror == nullptr) return env.Undefined();
  const auto queue_limit = number_argument(info, 1, 1, UINT32_MAX);
  if (!queue_limit) return env.Undefined();
  const auto kinds = number_argument(info, 2, 0, UINT8_MAX);
  if (!kinds) return env.Undefined();
  auto filter = filter_argument(info, 3);
  if (!filter) return env.Undefined();
  ChangeStreamRequest request{static_cast<std::size_t>(*queue_limit), static_cast<u32>(*kinds),
                              std::move(*filter)};
  auto stream =
      std::make_unique<ChangeStream>(std::move(mirror), std::move(request), handle_.wake());
  return to_js(env, handle_.start(std::move(stream)));
}

// statistics(): [received, filtered, synthetic, coalesced, queueDrops, gaps, queued]
Napi::Value MirrorChanges::statistics(const Napi::CallbackInfo& info) {
  if (stream() != nullptr) last_statistics_ = stream()->counts();
  const ChangeStream::Counts& now = last_statistics_;
  return to_js(info.Env(), {now.received, now.filtered, now.synthetic, now.coalesced,
                            now.queue.queue_drops, now.queue.gaps, now.queue.queued});
}

// wait(waiting, keepAlive)
Napi::Value MirrorChanges::wait(const Napi::CallbackInfo& info) {
  handle_.wait(info.Env(), info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value MirrorChanges::close(const Napi::CallbackInfo& info) {
  if (stream() != nullptr) {
    stream()->stop();
    last_statistics_ = stream()->counts();
  }
  handle_.close();
  return info.Env().Undefined();
}

}  // namespace nfconntrack::binding
