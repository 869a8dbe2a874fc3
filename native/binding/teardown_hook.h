// Runs a function when the environment (the process, or a worker thread) goes away.
#pragma once

#include <functional>
#include <utility>

#include "napi_setup.h"

namespace nfconntrack::binding {

// In the main environment hooks run only when the event loop has run dry: not on process.exit(), an
// uncaught exception or a signal. Threads of ours must be harmless then, and are: they touch their
// own heap objects and no static one.
class TeardownHook {
 public:
  TeardownHook(napi_env env, std::function<void()> run) : env_(env), run_(std::move(run)) {
    napi_add_env_cleanup_hook(env_, &TeardownHook::call, this);
  }
  ~TeardownHook() {
    if (!ran_) napi_remove_env_cleanup_hook(env_, &TeardownHook::call, this);
  }
  TeardownHook(const TeardownHook&) = delete;
  TeardownHook& operator=(const TeardownHook&) = delete;

 private:
  static void call(void* self) {
    auto* hook = static_cast<TeardownHook*>(self);
    hook->ran_ = true;
    hook->run_();
  }

  const napi_env env_;
  const std::function<void()> run_;
  bool ran_ = false;
};

}  // namespace nfconntrack::binding
