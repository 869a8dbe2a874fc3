// FlowSubscription and ExpectationSubscription: the kernel's events as JavaScript sees them.
// `onWake` is set by lib/.
#pragma once

#include "reader_handle.h"
#include "subscription.h"

namespace nfconntrack::binding {

template <typename Record>
class EventSubscription : public Napi::ObjectWrap<EventSubscription<Record>> {
 public:
  static Napi::Function define(Napi::Env env, const char* name);
  explicit EventSubscription(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<EventSubscription>(info),
        handle_(info.Env(), *this, "nfconntrack.events") {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value started(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info) { return handle_.take(info.Env()); }
  Napi::Value outcome(const Napi::CallbackInfo& info) { return handle_.outcome(info.Env()); }
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  // Null before start() and after close().
  [[nodiscard]] Subscription<Record>* subscription() const {
    return static_cast<Subscription<Record>*>(handle_.reader());
  }

  ReaderHandle<Record> handle_;
  SubscriptionStatistics last_statistics_;
};

using FlowSubscription = EventSubscription<FlowRecord>;
using ExpectationSubscription = EventSubscription<ExpectationRecord>;

}  // namespace nfconntrack::binding
