// FlowSubscription: the kernel's events as JavaScript sees them. `onWake` is set by lib/.
#pragma once

#include "reader_handle.h"
#include "subscription.h"

namespace nfconntrack::binding {

class FlowSubscription : public Napi::ObjectWrap<FlowSubscription> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FlowSubscription(const Napi::CallbackInfo& info)
      : ObjectWrap(info), handle_(info.Env(), *this, "nfconntrack.events") {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value started(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info) { return handle_.take(info.Env()); }
  Napi::Value outcome(const Napi::CallbackInfo& info) { return handle_.outcome(info.Env()); }
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  ReaderHandle handle_;
  Subscription* subscription_ = nullptr;  // owned by handle_, until close()
  SubscriptionStatistics last_statistics_;
};

}  // namespace nfconntrack::binding
