// Control: a namespace and the thread that asks its kernel questions.
//
// Lifetime rules
// 1. The thread is joined by close(), by the environment's cleanup hook, or by the finalizer,
// whichever
//    comes first; the Waker is closed after it, never before.
// 2. While requests are pending the object holds itself, and the process stays alive.
// 3. What is shared with dumps and subscriptions (the Netns) is immutable and counted.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "napi_setup.h"
#include "netns.h"
#include "record.h"
#include "teardown_hook.h"
#include "waker.h"
#include "worker.h"

namespace nfconntrack::binding {

class Control : public Napi::ObjectWrap<Control> {
 public:
  static Napi::Function define(Napi::Env env);
  // The Control that `value` wraps, or null and a pending TypeError.
  static Control* from(const Napi::Value& value);

  explicit Control(const Napi::CallbackInfo& info);
  ~Control() override { shut_down(); }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  [[nodiscard]] const std::shared_ptr<const Netns>& netns() const { return netns_; }

 private:
  // What a job found out, on its way back to JavaScript.
  struct Answer {
    u32 id = 0;
    Failure failure;
    std::vector<u8> bytes;
  };
  using Question = std::function<void(NetlinkSocket& socket, Answer& answer)>;

  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value probe(const Napi::CallbackInfo& info);
  Napi::Value portid(const Napi::CallbackInfo& info);
  Napi::Value get(const Napi::CallbackInfo& info);
  Napi::Value cpu_stats(const Napi::CallbackInfo& info);
  Napi::Value global_stats(const Napi::CallbackInfo& info);
  Napi::Value read_file(const Napi::CallbackInfo& info);
  Napi::Value write_file(const Napi::CallbackInfo& info);
  Napi::Value list_directory(const Napi::CallbackInfo& info);
  Napi::Value change(const Napi::CallbackInfo& info);
  Napi::Value flush(const Napi::CallbackInfo& info);
  // In control_expectations.cc.
  Napi::Value list_expectations(const Napi::CallbackInfo& info);
  Napi::Value get_expectation(const Napi::CallbackInfo& info);
  Napi::Value create_expectation(const Napi::CallbackInfo& info);
  Napi::Value delete_expectation(const Napi::CallbackInfo& info);
  Napi::Value delete_expectations_of(const Napi::CallbackInfo& info);
  Napi::Value flush_expectations(const Napi::CallbackInfo& info);
  Napi::Value expectation_stats(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  Napi::Value ask(const Napi::CallbackInfo& info, std::size_t callback_index, Question question);
  static void run(const Question& question, NetlinkSocket& socket, Answer& answer);
  void answered(Answer answer);
  void deliver(Napi::Env env);
  void hold(Napi::Env env);
  void halt();
  void shut_down();

  std::shared_ptr<const Netns> netns_;
  std::unique_ptr<Waker> waker_;
  std::mutex mutex_;
  std::vector<Answer> answers_;
  std::map<u32, Napi::FunctionReference> pending_;
  u32 last_id_ = 0;
  bool held_ = false;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<TeardownHook> teardown_;
};

}  // namespace nfconntrack::binding
