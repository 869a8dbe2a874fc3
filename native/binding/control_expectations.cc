// What a Control asks about expectations.
#include "arguments.h"
#include "control.h"
#include "expectation_request.h"
#include "result.h"

namespace nfconntrack::binding {
namespace {

std::optional<ExpectationRecord> expectation_argument(const Napi::CallbackInfo& info,
                                                      std::size_t index) {
  const auto bytes = bytes_argument(info, index, sizeof(ExpectationRecord));
  if (!bytes) return std::nullopt;
  ExpectationRecord record;
  std::memcpy(&record, bytes->data(), sizeof record);
  return record;
}

}  // namespace

// listExpectations(wanted, callback): a batch
Napi::Value Control::list_expectations(const Napi::CallbackInfo& info) {
  const auto wanted = expectation_argument(info, 0);
  if (!wanted) return info.Env().Undefined();
  return ask(info, 1, [wanted = *wanted](NetlinkSocket& socket, Answer& answer) {
    ExpectationBatch batch(0);
    answer.failure = nfconntrack::list_expectations(socket, wanted, batch);
    answer.bytes = bytes_of(batch);
  });
}

// getExpectation(key, callback): a batch of one
Napi::Value Control::get_expectation(const Napi::CallbackInfo& info) {
  const auto key = expectation_argument(info, 0);
  if (!key) return info.Env().Undefined();
  return ask(info, 1, [key = *key](NetlinkSocket& socket, Answer& answer) {
    ExpectationBatch batch(1);
    answer.failure = nfconntrack::get_expectation(socket, key, batch);
    answer.bytes = bytes_of(batch);
  });
}

// createExpectation(batch of one, callback)
Napi::Value Control::create_expectation(const Napi::CallbackInfo& info) {
  const auto bytes = any_bytes_argument(info, 0);
  if (!bytes) return info.Env().Undefined();
  std::vector<u8> copy(bytes->begin(), bytes->end());
  return ask(info, 1, [copy = std::move(copy)](NetlinkSocket& socket, Answer& answer) {
    ExpectationBatchView batch;
    answer.failure = batch.open(copy) ? nfconntrack::create_expectation(socket, batch)
                                      : Failure::of(EINVAL, "netlink");
  });
}

// deleteExpectation(key, callback)
Napi::Value Control::delete_expectation(const Napi::CallbackInfo& info) {
  const auto key = expectation_argument(info, 0);
  if (!key) return info.Env().Undefined();
  return ask(info, 1, [key = *key](NetlinkSocket& socket, Answer& answer) {
    answer.failure = nfconntrack::delete_expectation(socket, key);
  });
}

// deleteExpectationsOf(helper, callback)
Napi::Value Control::delete_expectations_of(const Napi::CallbackInfo& info) {
  auto helper = string_argument(info, 0);
  if (!helper) return info.Env().Undefined();
  return ask(info, 1, [helper = std::move(*helper)](NetlinkSocket& socket, Answer& answer) {
    answer.failure = nfconntrack::delete_expectations_of(socket, helper);
  });
}

// flushExpectations(callback)
Napi::Value Control::flush_expectations(const Napi::CallbackInfo& info) {
  return ask(info, 0, [](NetlinkSocket& socket, Answer& answer) {
    answer.failure = nfconntrack::flush_expectations(socket);
  });
}

// expectationStats(callback): {u32 cpu, type, value}...
Napi::Value Control::expectation_stats(const Napi::CallbackInfo& info) {
  return ask(info, 0, [](NetlinkSocket& socket, Answer& answer) {
    std::vector<Statistic> stats;
    answer.failure = get_expectation_stats(socket, stats);
    answer.bytes = bytes_of(stats);
  });
}

}  // namespace nfconntrack::binding
