// A failed system call as an exception, and the way from there to a JavaScript error. The core
// never throws; this addon serves tests, where a short call site is worth more.
#pragma once

#include <napi.h>

#include <stdexcept>
#include <string>

namespace nfconntrack::testing {

class SystemError : public std::runtime_error {
 public:
  SystemError(int code, const std::string& call);

  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

// The name of an errno value, "EPERM"; "E<number>" for one that the C library does not know.
[[nodiscard]] std::string errno_name(int code);

[[noreturn]] void fail(const std::string& call);

// Passes the result of a system call on, or throws what errno says.
template <typename Result>
Result checked(Result result, const std::string& call) {
  if (result < 0) fail(call);
  return result;
}

// An Error with `code` (the errno's name) and `errno` (the positive number).
[[nodiscard]] Napi::Error to_javascript(Napi::Env env, const SystemError& error);

// Runs `body` and turns a SystemError into a JavaScript exception.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const SystemError& error) {
    throw to_javascript(env, error);
  }
}

}  // namespace nfconntrack::testing
