#include "reader_handle.h"

namespace nfconntrack::binding {

template <typename Record>
ReaderHandle<Record>::ReaderHandle(Napi::Env env, Napi::Reference<Napi::Object>& wrap,
                                   const char* name)
    : wrap_(wrap),
      waker_(std::make_unique<Waker>(env, name, [this](Napi::Env e) { woken(e); })),
      teardown_(std::make_unique<TeardownHook>(env, [this] { halt(); })) {}

template <typename Record>
std::function<void()> ReaderHandle<Record>::wake() {
  return [waker = waker_.get()] { waker->wake(); };
}

template <typename Record>
Failure ReaderHandle<Record>::start(std::unique_ptr<RecordReader<Record>> reader) {
  if (started_) return Failure::of(EALREADY, "start");
  started_ = true;
  if (!waker_->ok()) return Failure::of(ENOMEM, "napi_create_threadsafe_function");
  reader_ = std::move(reader);
  return reader_->start();
}

template <typename Record>
Napi::Value ReaderHandle<Record>::take(Napi::Env env) {
  if (reader_ == nullptr) return env.Null();
  reader_->refill();
  std::unique_ptr<RecordBatch<Record>> batch = reader_->queue().take();
  if (batch == nullptr) {
    ended_ = reader_->queue().finished(outcome_);
    return ended_ ? env.Null() : env.Undefined();
  }
  const Napi::Value value = to_js(env, *batch);
  reader_->queue().give_back(std::move(batch));
  return value;
}

template <typename Record>
Napi::Value ReaderHandle<Record>::outcome(Napi::Env env) {
  return to_js(env, outcome_);
}

template <typename Record>
void ReaderHandle<Record>::wait(Napi::Env env, bool waiting, bool keep_alive) {
  if (reader_ == nullptr && waiting) return;
  waker_->keep_alive(env, waiting && keep_alive);
  if (waiting == waiting_) return;
  waiting_ = waiting;
  if (waiting) {
    wrap_.Ref();
  } else {
    wrap_.Unref();
  }
}

template <typename Record>
void ReaderHandle<Record>::close() {
  halt();
  started_ = true;
  if (waiting_) {
    waiting_ = false;
    wrap_.Unref();
  }
  reader_.reset();
  teardown_.reset();
}

template <typename Record>
void ReaderHandle<Record>::woken(Napi::Env env) {
  const Napi::HandleScope scope(env);
  const Napi::Object object = wrap_.Value();
  if (object.IsEmpty()) return;  // being collected
  const Napi::Value on_wake = object.Get("onWake");
  if (on_wake.IsFunction()) on_wake.As<Napi::Function>().Call(object, {});
}

template <typename Record>
void ReaderHandle<Record>::halt() {
  if (reader_ != nullptr) reader_->stop();
  waker_->close();
}

template class ReaderHandle<FlowRecord>;
template class ReaderHandle<ExpectationRecord>;

}  // namespace nfconntrack::binding
