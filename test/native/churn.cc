#include "churn.h"

#include <algorithm>

#include "fill.h"
#include "options.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

constexpr std::uint32_t kBatch = 64;
constexpr std::uint32_t kLive = 4096;
constexpr std::uint32_t kLongestSeconds = 60;
// Half of the churn's address range, so that a flow is long gone when its number comes round.
constexpr std::uint32_t kMostLive = 1U << 16;

}  // namespace

Napi::Function Churn::define(Napi::Env env) {
  return DefineClass(env, "Churn",
                     {
                         InstanceMethod<&Churn::stop>("stop"),
                         InstanceAccessor<&Churn::operations>("operations"),
                     });
}

Churn::Plan Churn::plan_from(const Napi::Object& options) {
  const std::uint32_t batch = std::clamp(u32_or(options, "batch", kBatch), 1U, kMostBatch);
  const std::uint32_t live = std::min(u32_or(options, "live", kLive), kMostLive);
  Plan plan{
      .flows = flows_from(options),
      .batch = batch,
      .live = (live + batch - 1) / batch * batch,
      .longest = std::chrono::seconds(u32_or(options, "seconds", kLongestSeconds)),
  };
  plan.flows.churning = true;
  return plan;
}

// A thread starts in the namespace of the one that makes it.
Churn::Churn(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Churn>(info), plan_(plan_from(options_at(info, 0))) {
  thread_ = std::thread([this] {
    try {
      run();
    } catch (...) {
      failure_ = std::current_exception();
    }
  });
}

Churn::~Churn() { join(); }

void Churn::join() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Churn::run() {
  FlowWriter writer(plan_.batch);
  const auto deadline = std::chrono::steady_clock::now() + plan_.longest;
  std::uint32_t position = 0;
  while (!stopping_ && std::chrono::steady_clock::now() < deadline) {
    turn(writer, position);
    position += plan_.batch;
  }
  const std::uint32_t left = std::min(position, plan_.live);
  if (left > 0) writer.remove(plan_.flows, position - left, left);
}

void Churn::turn(FlowWriter& writer, std::uint32_t position) {
  operations_ += writer.create(plan_.flows, position, plan_.batch);
  if (position < plan_.live) return;
  operations_ += writer.remove(plan_.flows, position - plan_.live, plan_.batch);
}

Napi::Value Churn::stop(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    join();
    if (failure_) std::rethrow_exception(failure_);
    return Napi::Number::New(info.Env(), static_cast<double>(operations_));
  });
}

Napi::Value Churn::operations(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(operations_));
}

}  // namespace nfconntrack::testing
