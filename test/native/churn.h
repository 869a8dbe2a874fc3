// A thread that makes and deletes flows until it is told to stop.
#pragma once

#include <napi.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#include "synthetic_flow.h"

namespace nfconntrack::testing {

class Churn : public Napi::ObjectWrap<Churn> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit Churn(const Napi::CallbackInfo& info);
  ~Churn() override;

 private:
  struct Plan {
    SyntheticFlows flows;
    std::uint32_t batch;
    std::uint32_t live;  // flows that exist at a time; a multiple of `batch`
    std::chrono::seconds longest;
  };

  [[nodiscard]] static Plan plan_from(const Napi::Object& options);
  Napi::Value stop(const Napi::CallbackInfo& info);
  Napi::Value operations(const Napi::CallbackInfo& info);

  void run();
  void turn(FlowWriter& writer, std::uint32_t position);
  void join();

  Plan plan_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> operations_ = 0;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace nfconntrack::testing
