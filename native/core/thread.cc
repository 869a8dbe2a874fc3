#include "thread.h"

#include <pthread.h>

#include <csignal>
#include <system_error>

namespace nfconntrack {

Failure Thread::start(const char* name, std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Failure failure;
  try {
    thread_ = std::thread(std::move(body));
    pthread_setname_np(thread_.native_handle(), name);
  } catch (const std::system_error& error) {
    failure = Failure::of(error.code().value(), "pthread_create");
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure;
}

}  // namespace nfconntrack
