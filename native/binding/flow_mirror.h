// FlowMirror and MirrorChanges: a mirror, and a stream of what changes in it, as JavaScript sees
// them. `onWake` is set by lib/.
//
// Lifetime rules
// 1. The mirror's thread ends with the FlowMirror; streams of it then end, and keep the rest.
// 2. The buffers of start() are held until close(): find() reads and writes them without asking
//    JavaScript for anything.
#pragma once

#include "change_stream.h"
#include "reader_handle.h"

namespace nfconntrack::binding {

class FlowMirror : public Napi::ObjectWrap<FlowMirror> {
 public:
  static Napi::Function define(Napi::Env env);
  // The mirror that `value` wraps, or null and a pending TypeError.
  static std::shared_ptr<Mirror> from(const Napi::Value& value);

  explicit FlowMirror(const Napi::CallbackInfo& info);

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value buffers(const Napi::CallbackInfo& info);
  Napi::Value started(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value consistent(const Napi::CallbackInfo& info);
  Napi::Value find(const Napi::CallbackInfo& info);
  Napi::Value list(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info) { return handle_.take(info.Env()); }
  Napi::Value outcome(const Napi::CallbackInfo& info) { return handle_.outcome(info.Env()); }
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  ReaderHandle<FlowRecord> handle_;
  std::shared_ptr<Mirror> mirror_;  // until close()
  MirrorStatistics last_statistics_;
  KnownFlow found_;
  Napi::Reference<Napi::Uint8Array> key_;
  Napi::Reference<Napi::Uint8Array> answer_;
};

class MirrorChanges : public Napi::ObjectWrap<MirrorChanges> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit MirrorChanges(const Napi::CallbackInfo& info)
      : ObjectWrap(info), handle_(info.Env(), *this, "nfconntrack.changes") {}

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info) { return handle_.take(info.Env()); }
  Napi::Value outcome(const Napi::CallbackInfo& info) { return handle_.outcome(info.Env()); }
  Napi::Value wait(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  // Null before start() and after close().
  [[nodiscard]] ChangeStream* stream() const {
    return static_cast<ChangeStream*>(handle_.reader());
  }

  ReaderHandle<FlowRecord> handle_;
  ChangeStream::Counts last_statistics_;
};

}  // namespace nfconntrack::binding
