#include "system_error.h"

#include <cerrno>
#include <cstring>

namespace nfconntrack::testing {

SystemError::SystemError(int code, const std::string& call)
    : std::runtime_error(errno_name(code) + ": " + std::strerror(code) + ", " + call),
      code_(code) {}

std::string errno_name(int code) {
  const char* name = ::strerrorname_np(code);
  return name != nullptr ? name : std::string("E").append(std::to_string(code));
}

void fail(const std::string& call) { throw SystemError(errno, call); }

Napi::Error to_javascript(Napi::Env env, const SystemError& error) {
  Napi::Error made = Napi::Error::New(env, error.what());
  made.Set("code", Napi::String::New(env, errno_name(error.code())));
  made.Set("errno", Napi::Number::New(env, error.code()));
  return made;
}

}  // namespace nfconntrack::testing
