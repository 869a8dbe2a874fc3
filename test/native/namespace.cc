#include "namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>

#include "descriptor.h"
#include "system_error.h"

namespace nfconntrack::testing {
namespace {

constexpr char kOwnNamespace[] = "/proc/thread-self/ns/net";

int open_path(const char* path) {
  return checked(::open(path, O_RDONLY | O_CLOEXEC), std::string("open ") + path);
}

void bring_loopback_up() {
  const Descriptor socket(checked(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  checked(::ioctl(socket.get(), SIOCGIFFLAGS, &request), "ioctl SIOCGIFFLAGS lo");
  request.ifr_flags |= IFF_UP;
  checked(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "ioctl SIOCSIFFLAGS lo");
}

int make_namespace() {
  checked(::unshare(CLONE_NEWNET), "unshare CLONE_NEWNET");
  bring_loopback_up();
  return open_path(kOwnNamespace);
}

// unshare() changes the calling thread only, so a thread that ends at once is the whole clean-up.
int make_namespace_on_thread() {
  int fd = -1;
  std::exception_ptr failure;
  std::thread maker([&] {
    try {
      fd = make_namespace();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  maker.join();
  if (failure) std::rethrow_exception(failure);
  return fd;
}

}  // namespace

Napi::Value new_namespace(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), make_namespace_on_thread());
}

Napi::Value open_namespace(const Napi::CallbackInfo& info) {
  const std::string path =
      info[0].IsUndefined() ? kOwnNamespace : info[0].As<Napi::String>().Utf8Value();
  return Napi::Number::New(info.Env(), open_path(path.c_str()));
}

Napi::Value enter_namespace(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  checked(::setns(fd, CLONE_NEWNET), "setns");
  return info.Env().Undefined();
}

Napi::Value close_fd(const Napi::CallbackInfo& info) {
  checked(::close(info[0].As<Napi::Number>().Int32Value()), "close");
  return info.Env().Undefined();
}

}  // namespace nfconntrack::testing
