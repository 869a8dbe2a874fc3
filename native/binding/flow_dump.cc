#include "flow_dump.h"

#include "arguments.h"
#include "control.h"
#include "ctnetlink.h"
#include "dump.h"

namespace nfconntrack::binding {

Napi::Function FlowDump::define(Napi::Env env) {
  return DefineClass(env, "FlowDump",
                     {
                         InstanceMethod<&FlowDump::start>("start"),
                         InstanceMethod<&FlowDump::take>("take"),
                         InstanceMethod<&FlowDump::outcome>("outcome"),
                         InstanceMethod<&FlowDump::wait>("wait"),
                         InstanceMethod<&FlowDump::close>("close"),
                     });
}

// start(control, command, pattern, markMask, statusMask, filter): [errno, syscall, detail]
// `pattern` is a FlowRecord of what the kernel is asked for.
Napi::Value FlowDump::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Control* control = Control::from(info[0]);
  if (control == nullptr) return env.Undefined();
  const auto command = number_argument(info, 1, ctnetlink::kGet, ctnetlink::kGetUnconfirmed);
  if (!command) return env.Undefined();
  const auto kernel = kernel_filter_argument(info, 2);
  if (!kernel) return env.Undefined();
  auto filter = filter_argument(info, 5);
  if (!filter) return env.Undefined();
  ListRequest request{static_cast<int>(*command), *kernel, std::move(*filter)};
  return to_js(env, handle_.start(std::make_unique<Dump>(control->netns(), std::move(request),
                                                         handle_.wake())));
}

// wait(waiting, keepAlive)
Napi::Value FlowDump::wait(const Napi::CallbackInfo& info) {
  handle_.wait(info.Env(), info[0].ToBoolean(), info[1].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value FlowDump::close(const Napi::CallbackInfo& info) {
  handle_.close();
  return info.Env().Undefined();
}

}  // namespace nfconntrack::binding
