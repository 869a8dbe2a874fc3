#include "flow_sweep.h"

#include "arguments.h"
#include "control.h"
#include "ctnetlink.h"

namespace nfconntrack::binding {

Napi::Function FlowSweep::define(Napi::Env env) {
  return DefineClass(env, "FlowSweep",
                     {
                         InstanceMethod<&FlowSweep::start>("start"),
                         InstanceMethod<&FlowSweep::progress>("progress"),
                         InstanceMethod<&FlowSweep::portid>("portid"),
                         InstanceMethod<&FlowSweep::failures>("failures"),
                         InstanceMethod<&FlowSweep::take>("take"),
                         InstanceMethod<&FlowSweep::outcome>("outcome"),
                         InstanceMethod<&FlowSweep::wait>("wait"),
                         InstanceMethod<&FlowSweep::close>("close"),
                     });
}

// start(control, pattern, markMask, statusMask, filter, action, limit, receipts, changes,
// statusSet, statusClear): [errno, syscall, detail]
Napi::Value FlowSweep::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Control* control = Control::from(info[0]);
  if (control == nullptr) return env.Undefined();
  SweepRequest request;
  request.list.command = ctnetlink::kGet;
  const auto kernel = kernel_filter_argument(info, 1);
  if (!kernel) return env.Undefined();
  request.list.kernel = *kernel;
  auto filter = filter_argument(info, 4);
  if (!filter) return env.Undefined();
  request.list.filter = std::move(*filter);
  const auto action = number_argument(info, 5, 0, kSweepActionCount - 1);
  if (!action) return env.Undefined();
  request.action = static_cast<SweepAction>(static_cast<int>(*action));
  const auto limit = number_argument(info, 6, 0, kMaxSafeInteger);
  if (!limit) return env.Undefined();
  request.limit = static_cast<u64>(*limit);
  request.receipts = info[7].ToBoolean();
  const auto changes = any_bytes_argument(info, 8);
  if (!changes) return env.Undefined();
  request.changes.assign(changes->begin(), changes->end());
  const auto set = number_argument(info, 9, 0, UINT32_MAX);
  if (!set) return env.Undefined();
  request.status_set = static_cast<u32>(*set);
  const auto clear = number_argument(info, 10, 0, UINT32_MAX);
  if (!clear) return env.Undefined();
  request.status_clear = static_cast<u32>(*clear);
  auto sweep = std::make_unique<Sweep>(control->netns(), std::move(request), handle_.wake());
  return to_js(env, handle_.start(std::move(sweep)));
}

// progress(): [scanned, matched, done, gone, failed]
Napi::Value FlowSweep::progress(const Napi::CallbackInfo& info) {
  if (sweep() != nullptr) last_progress_ = sweep()->progress();
  const SweepProgress& now = last_progress_;
  return to_js(info.Env(), {now.scanned, now.matched, now.done, now.gone, now.failed});
}

// portid(): the netlink port that changes come from; 0 until they can
Napi::Value FlowSweep::portid(const Napi::CallbackInfo& info) {
  if (sweep() != nullptr) last_portid_ = sweep()->portid();
  return Napi::Number::New(info.Env(), last_portid_);
}

// failures(): [errno, syscall, detail][]
Napi::Value FlowSweep::failures(const Napi::CallbackInfo& info) {
  if (sweep() != nullptr) last_failures_ = sweep()->failures();
  Napi::Array array = Napi::Array::New(info.Env(), last_failures_.size());
  for (u32 i = 0; i < last_failures_.size(); ++i) array[i] = to_js(info.Env(), last_failures_[i]);
  return array;
}

// wait(waiting, keepAlive)
Napi::Value FlowSweep::wait(const Napi::CallbackInfo& info) {
  handle_.wait(info.Env(), info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

// What was done until then can still be read.
Napi::Value FlowSweep::close(const Napi::CallbackInfo& info) {
  if (sweep() != nullptr) {
    sweep()->stop();
    last_progress_ = sweep()->progress();
    last_failures_ = sweep()->failures();
    last_portid_ = sweep()->portid();
  }
  handle_.close();
  return info.Env().Undefined();
}

}  // namespace nfconntrack::binding
