#include "netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

namespace nfconntrack {
namespace {

constexpr char kOwn[] = "/proc/thread-self/ns/net";

bool same_file(int fd, const char* path) {
  struct stat a {};
  struct stat b {};
  if (fstat(fd, &a) != 0 || stat(path, &b) != 0) return false;
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

Failure Netns::open(const std::string& path, std::shared_ptr<const Netns>& netns) {
  std::shared_ptr<Netns> opened(new Netns(false));
  // O_NONBLOCK: a path that is a pipe must not hold the caller.
  opened->fd_ = Fd(::open(path.empty() ? kOwn : path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  // Without /proc a thread of ours still inherits its maker's namespace.
  if (!opened->fd_.valid() && !path.empty()) return Failure::last("open");
  netns = std::move(opened);
  return {};
}

std::shared_ptr<const Netns> Netns::fresh() { return std::shared_ptr<Netns>(new Netns(true)); }

Failure Netns::make() const {
  if (unshare(CLONE_NEWNET) != 0) return Failure::last("unshare");
  fd_ = Fd(::open(kOwn, O_RDONLY | O_CLOEXEC));
  return fd_.valid() ? Failure{} : Failure::last("open");
}

Failure Netns::enter() const {
  const std::lock_guard lock(mutex_);
  if (fresh_ && !fd_.valid()) return make();
  if (!fd_.valid() || same_file(fd_.get(), kOwn)) return {};
  if (setns(fd_.get(), CLONE_NEWNET) != 0) return Failure::last("setns");
  return {};
}

}  // namespace nfconntrack
