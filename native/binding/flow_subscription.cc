#include "flow_subscription.h"

#include "arguments.h"
#include "control.h"

namespace nfconntrack::binding {

Napi::Function FlowSubscription::define(Napi::Env env) {
  return DefineClass(env, "FlowSubscription",
                     {
                         InstanceMethod<&FlowSubscription::start>("start"),
                         InstanceMethod<&FlowSubscription::started>("started"),
                         InstanceMethod<&FlowSubscription::statistics>("statistics"),
                         InstanceMethod<&FlowSubscription::take>("take"),
                         InstanceMethod<&FlowSubscription::outcome>("outcome"),
                         InstanceMethod<&FlowSubscription::wait>("wait"),
                         InstanceMethod<&FlowSubscription::close>("close"),
                     });
}

// start(control, groups, receiveBuffer, queueLimit): [errno, syscall, detail]
Napi::Value FlowSubscription::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Control* control = Control::from(info[0]);
  if (control == nullptr) return env.Undefined();
  const auto groups = number_argument(info, 1, 1, UINT8_MAX);
  if (!groups) return env.Undefined();
  const auto receive_buffer = number_argument(info, 2, 0, INT32_MAX);
  if (!receive_buffer) return env.Undefined();
  const auto queue_limit = number_argument(info, 3, 1, UINT32_MAX);
  if (!queue_limit) return env.Undefined();
  const SubscriptionRequest request{static_cast<u32>(*groups), static_cast<u32>(*receive_buffer),
                                    static_cast<std::size_t>(*queue_limit)};
  auto subscription = std::make_unique<Subscription>(control->netns(), request, handle_.wake());
  subscription_ = subscription.get();
  return to_js(env, handle_.start(std::move(subscription)));
}

// started(): [errno, syscall, detail] once it is known, undefined before
Napi::Value FlowSubscription::started(const Napi::CallbackInfo& info) {
  if (subscription_ == nullptr) return info.Env().Undefined();
  Failure failure;
  if (subscription_->started() || subscription_->queue().finished(failure)) {
    return to_js(info.Env(), failure);
  }
  return info.Env().Undefined();
}

// statistics(): [received, kernelDrops, queueDrops, malformed, gaps, queued, receiveBuffer]
Napi::Value FlowSubscription::statistics(const Napi::CallbackInfo& info) {
  if (subscription_ != nullptr) last_statistics_ = subscription_->statistics();
  const SubscriptionStatistics& now = last_statistics_;
  const double values[] = {
      static_cast<double>(now.received),       static_cast<double>(now.kernel_drops),
      static_cast<double>(now.queue_drops),    static_cast<double>(now.malformed),
      static_cast<double>(now.gaps),           static_cast<double>(now.queued),
      static_cast<double>(now.receive_buffer),
  };
  Napi::Array array = Napi::Array::New(info.Env(), std::size(values));
  for (u32 i = 0; i < std::size(values); ++i) array[i] = Napi::Number::New(info.Env(), values[i]);
  return array;
}

// wait(waiting, keepAlive)
Napi::Value FlowSubscription::wait(const Napi::CallbackInfo& info) {
  handle_.wait(info.Env(), info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

// What was received, dropped and queued until then can still be read.
Napi::Value FlowSubscription::close(const Napi::CallbackInfo& info) {
  if (subscription_ != nullptr) {
    subscription_->stop();
    last_statistics_ = subscription_->statistics();
    subscription_ = nullptr;
  }
  handle_.close();
  return info.Env().Undefined();
}

}  // namespace nfconntrack::binding
