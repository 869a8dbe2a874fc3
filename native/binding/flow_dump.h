// FlowDump: a dump as JavaScript sees it. `onWake` is set by lib/.
#pragma once

#include "reader_handle.h"

namespace nfconntrack::binding {

class FlowDump : public Napi::ObjectWrap<FlowDump> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit FlowDump(const Napi::CallbackInfo& info)
      : ObjectWrap(info), handle_(info.Env(), *this, "nfconntrack.dump") {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info) { return handle_.take(info.Env()); }
  Napi::Value outcome(const Napi::CallbackInfo& info) { return handle_.outcome(info.Env()); }
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  ReaderHandle<FlowRecord> handle_;
};

}  // namespace nfconntrack::binding
