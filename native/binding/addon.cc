// What the addon exports. lib/native.ts declares the same, typed.
#include "control.h"
#include "event_subscription.h"
#include "flow_dump.h"
#include "flow_mirror.h"
#include "flow_sweep.h"
#include "formatting.h"

namespace nfconntrack::binding {
namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("layoutVersion", Napi::String::New(env, kLayoutVersion));
  exports.Set("Control", Control::define(env));
  exports.Set("FlowDump", FlowDump::define(env));
  exports.Set("FlowSubscription", FlowSubscription::define(env, "FlowSubscription"));
  exports.Set("ExpectationSubscription",
              ExpectationSubscription::define(env, "ExpectationSubscription"));
  exports.Set("FlowMirror", FlowMirror::define(env));
  exports.Set("MirrorChanges", MirrorChanges::define(env));
  exports.Set("FlowSweep", FlowSweep::define(env));
  define_formatting(env, exports);
  return exports;
}

}  // namespace
}  // namespace nfconntrack::binding

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  return nfconntrack::binding::initialize(env, exports);
}

NODE_API_MODULE(nfconntrack, initialize)
