// FlowSweep: deleteWhere() and updateWhere() as JavaScript sees them. `onWake` is set by lib/.
#pragma once

#include "reader_handle.h"
#include "sweep.h"

namespace nfconntrack::binding {

class FlowSweep : public Napi::ObjectWrap<FlowSweep> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FlowSweep(const Napi::CallbackInfo& info)
      : ObjectWrap(info), handle_(info.Env(), *this, "nfconntrack.sweep") {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value progress(const Napi::CallbackInfo& info);
  Napi::Value portid(const Napi::CallbackInfo& info);
  Napi::Value failures(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info) { return handle_.take(info.Env()); }
  Napi::Value outcome(const Napi::CallbackInfo& info) { return handle_.outcome(info.Env()); }
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  // Null before start() and after close().
  [[nodiscard]] Sweep* sweep() const { return static_cast<Sweep*>(handle_.reader()); }

  ReaderHandle<FlowRecord> handle_;
  SweepProgress last_progress_;
  std::vector<Failure> last_failures_;
  u32 last_portid_ = 0;
};

}  // namespace nfconntrack::binding
