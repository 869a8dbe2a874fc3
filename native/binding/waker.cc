#include "waker.h"

#include <utility>

namespace nfconntrack::binding {

Waker::Waker(Napi::Env env, const char* name, std::function<void(Napi::Env)> on_wake)
    : on_wake_(std::move(on_wake)) {
  const Napi::String resource = Napi::String::New(env, name);
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, resource, 0, 1, nullptr, nullptr, this, &Waker::call, &function_);
  if (status != napi_ok) {
    function_ = nullptr;
    return;
  }
  napi_unref_threadsafe_function(env, function_);
}

void Waker::wake() {
  if (in_flight_.exchange(true)) return;
  // Any status but napi_ok means that the environment is going away: then nobody listens.
  napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
}

void Waker::keep_alive(Napi::Env env, bool alive) {
  if (function_ == nullptr || alive == alive_) return;
  alive_ = alive;
  if (alive) {
    napi_ref_threadsafe_function(env, function_);
  } else {
    napi_unref_threadsafe_function(env, function_);
  }
}

void Waker::close() {
  if (function_ == nullptr) return;
  // Aborting drops a call that is still in flight, whose context is about to go.
  napi_release_threadsafe_function(std::exchange(function_, nullptr), napi_tsfn_abort);
}

void Waker::call(napi_env env, napi_value, void* context, void*) {
  // Without an environment the queue is being emptied, and the context may be gone already.
  if (env == nullptr) return;
  auto* waker = static_cast<Waker*>(context);
  waker->in_flight_ = false;
  waker->on_wake_(Napi::Env(env));
  const Napi::Env scope(env);
  if (!scope.IsExceptionPending()) return;
  // Node reports an exception that leaves this call as a mere warning (DEP0168); what a user's
  // callback throws is to be an ordinary uncaught exception.
  napi_value exception = nullptr;
  napi_get_and_clear_last_exception(env, &exception);
  napi_fatal_exception(env, exception);
}

}  // namespace nfconntrack::binding
