// What the JavaScript objects of a dump and of a subscription share: batches, waiting, closing.
//
// Lifetime rules
// 1. The reader's thread is joined before the Waker is closed, by close(), by the environment's
// cleanup
//    hook, or by the finalizer, whichever comes first.
// 2. The object is held strongly only while JavaScript waits for a wake-up (wait(true)). One that
// is
//    forgotten half-way is collected, and its thread ends with it.
// 3. The JavaScript object's `onWake` is looked up at each wake-up, so nothing here refers to it.
#pragma once

#include <memory>

#include "record_reader.h"
#include "result.h"
#include "teardown_hook.h"
#include "waker.h"

namespace nfconntrack::binding {

template <typename Record>
class ReaderHandle {
 public:
  // `wrap` is the wrapped object's own weak reference.
  ReaderHandle(Napi::Env env, Napi::Reference<Napi::Object>& wrap, const char* name);
  ~ReaderHandle() { halt(); }
  ReaderHandle(const ReaderHandle&) = delete;
  ReaderHandle& operator=(const ReaderHandle&) = delete;

  // What the reader calls when there is something to take.
  [[nodiscard]] std::function<void()> wake();
  // Once; EALREADY from then on, also after close().
  Failure start(std::unique_ptr<RecordReader<Record>> reader);
  // What was started, until close().
  [[nodiscard]] RecordReader<Record>* reader() const { return reader_.get(); }

  // A batch; undefined while there is none; null when there will be none any more.
  Napi::Value take(Napi::Env env);
  // After take() gave null: [errno, syscall, detail] of how it ended.
  Napi::Value outcome(Napi::Env env);
  // Holds the object until wait(false), and the process too if `keep_alive`.
  void wait(Napi::Env env, bool waiting, bool keep_alive);
  void close();

 private:
  void woken(Napi::Env env);
  void halt();

  Napi::Reference<Napi::Object>& wrap_;
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<RecordReader<Record>> reader_;
  std::unique_ptr<TeardownHook> teardown_;
  Failure outcome_;
  bool started_ = false;
  bool ended_ = false;
  bool waiting_ = false;
};

}  // namespace nfconntrack::binding
