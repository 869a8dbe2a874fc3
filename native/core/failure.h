// How the core reports errors: by value, never by exception. TypeScript makes the Error of it.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

namespace nfconntrack {

struct Failure {
  int code = 0;              // errno; 0 is success
  const char* syscall = "";  // what failed, for the message; a literal
  std::string detail;        // the kernel's extended acknowledgement, if it sent one

  [[nodiscard]] bool ok() const { return code == 0; }

  static Failure last(const char* syscall) { return Failure{errno, syscall, {}}; }
  static Failure of(int code, const char* syscall) { return Failure{code, syscall, {}}; }
};

}  // namespace nfconntrack
