// Calls a JavaScript function because of something that happened on another thread.
//
// Lifetime rules
// 1. Made and closed on the JavaScript thread; wake() may be called on any, until close().
// 2. close() is called after every thread that may call wake() has been joined.
// 3. It does not keep the process alive unless keep_alive(true); nothing runs after close().
#pragma once

#include <atomic>
#include <functional>

#include "napi_setup.h"

namespace nfconntrack::binding {

class Waker {
 public:
  // `on_wake` runs on the JavaScript thread, in a scope where it may call JavaScript.
  Waker(Napi::Env env, const char* name, std::function<void(Napi::Env)> on_wake);
  ~Waker() { close(); }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  [[nodiscard]] bool ok() const { return function_ != nullptr; }
  void wake();
  void keep_alive(Napi::Env env, bool alive);
  void close();

 private:
  static void call(napi_env env, napi_value callback, void* context, void* data);

  const std::function<void(Napi::Env)> on_wake_;
  napi_threadsafe_function function_ = nullptr;
  // One call in flight is enough, however often wake() is called before it runs.
  std::atomic<bool> in_flight_ = false;
  bool alive_ = false;
};

}  // namespace nfconntrack::binding
