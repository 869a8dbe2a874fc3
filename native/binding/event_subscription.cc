#include "event_subscription.h"

#include "arguments.h"
#include "control.h"

namespace nfconntrack::binding {

template <typename Record>
Napi::Function EventSubscription<Record>::define(Napi::Env env, const char* name) {
  using Self = EventSubscription<Record>;
  return Self::DefineClass(env, name,
                           {
                               Self::template InstanceMethod<&Self::start>("start"),
                               Self::template InstanceMethod<&Self::started>("started"),
                               Self::template InstanceMethod<&Self::statistics>("statistics"),
                               Self::template InstanceMethod<&Self::take>("take"),
                               Self::template InstanceMethod<&Self::outcome>("outcome"),
                               Self::template InstanceMethod<&Self::wait>("wait"),
                               Self::template InstanceMethod<&Self::close>("close"),
                           });
}

// start(control, groups, receiveBuffer, queueLimit, filter, socketFilter, maxReceiveBuffer,
// reliable): [errno, syscall, detail]
template <typename Record>
Napi::Value EventSubscription<Record>::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Control* control = Control::from(info[0]);
  if (control == nullptr) return env.Undefined();
  const auto groups = number_argument(info, 1, 1, UINT8_MAX);
  if (!groups) return env.Undefined();
  const auto receive_buffer = number_argument(info, 2, 0, INT32_MAX);
  if (!receive_buffer) return env.Undefined();
  const auto queue_limit = number_argument(info, 3, 1, UINT32_MAX);
  if (!queue_limit) return env.Undefined();
  auto filter = filter_argument(info, 4);
  if (!filter) return env.Undefined();
  const auto socket_filter = any_bytes_argument(info, 5);
  if (!socket_filter) return env.Undefined();
  const auto max_receive_buffer = number_argument(info, 6, 0, INT32_MAX);
  if (!max_receive_buffer) return env.Undefined();
  SubscriptionRequest request{{static_cast<u32>(*groups),
                               static_cast<u32>(*receive_buffer),
                               static_cast<u32>(*max_receive_buffer),
                               {socket_filter->begin(), socket_filter->end()},
                               info[7].ToBoolean()},
                              static_cast<std::size_t>(*queue_limit),
                              std::move(*filter)};
  auto subscription =
      std::make_unique<Subscription<Record>>(control->netns(), std::move(request), handle_.wake());
  return to_js(env, handle_.start(std::move(subscription)));
}

// started(): [errno, syscall, detail] once it is known, undefined before
template <typename Record>
Napi::Value EventSubscription<Record>::started(const Napi::CallbackInfo& info) {
  if (subscription() == nullptr) return info.Env().Undefined();
  Failure failure;
  if (subscription()->started() || subscription()->queue().finished(failure)) {
    return to_js(info.Env(), failure);
  }
  return info.Env().Undefined();
}

// statistics(): [received, filtered, kernelDrops, queueDrops, malformed, gaps, queued,
// receiveBuffer, reliable]
template <typename Record>
Napi::Value EventSubscription<Record>::statistics(const Napi::CallbackInfo& info) {
  if (subscription() != nullptr) last_statistics_ = subscription()->statistics();
  const SubscriptionStatistics& now = last_statistics_;
  return to_js(info.Env(),
               {now.received, now.filtered, now.kernel_drops, now.queue_drops, now.malformed,
                now.gaps, now.queued, now.receive_buffer, u64{now.reliable}});
}

// wait(waiting, keepAlive)
template <typename Record>
Napi::Value EventSubscription<Record>::wait(const Napi::CallbackInfo& info) {
  handle_.wait(info.Env(), info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

// What was received, dropped and queued until then can still be read.
template <typename Record>
Napi::Value EventSubscription<Record>::close(const Napi::CallbackInfo& info) {
  if (subscription() != nullptr) {
    subscription()->stop();
    last_statistics_ = subscription()->statistics();
  }
  handle_.close();
  return info.Env().Undefined();
}

template class EventSubscription<FlowRecord>;
template class EventSubscription<ExpectationRecord>;

}  // namespace nfconntrack::binding
