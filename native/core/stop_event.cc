#include "stop_event.h"

#include <poll.h>
#include <sys/eventfd.h>

namespace nfconntrack {

Failure StopEvent::open() {
  fd_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return fd_.valid() ? Failure{} : Failure::last("eventfd");
}

void StopEvent::set() {
  set_ = true;
  // A full counter is as good as one more: the waiter wakes either way.
  if (fd_.valid()) eventfd_write(fd_.get(), 1);
}

bool StopEvent::wait_readable(int fd) const {
  pollfd fds[] = {{fd, POLLIN, 0}, {fd_.get(), POLLIN, 0}};
  while (!is_set()) {
    const int ready = poll(fds, 2, -1);
    if (ready > 0) return fds[1].revents == 0;
    // Only EINTR and ENOMEM can come here, and both pass.
  }
  return false;
}

bool StopEvent::wait_readable(int fd, int timeout) const {
  // poll() leaves a negative descriptor out.
  pollfd fds[] = {{fd, POLLIN, 0}, {fd_.get(), POLLIN, 0}};
  if (is_set()) return false;
  // A signal or a lack of memory ends it early, as if the time had passed.
  if (poll(fds, 2, timeout) <= 0) return !is_set();
  return fds[1].revents == 0;
}

}  // namespace nfconntrack
