// A network namespace, pinned by a descriptor.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "failure.h"
#include "fd.h"

namespace nfconntrack {

class Netns {
 public:
  // Pins the namespace that `path` names; an empty path is the calling thread's own.
  static Failure open(const std::string& path, std::shared_ptr<const Netns>& netns);

  // A namespace that nobody else knows, made by the first thread that enters it (CAP_SYS_ADMIN),
  // and gone with this object and the sockets in it.
  static std::shared_ptr<const Netns> fresh();

  // Moves the calling thread there, and only that thread; call it on threads of ours alone.
  // A thread that is there already stays, which needs no privilege (setns() does: CAP_SYS_ADMIN).
  [[nodiscard]] Failure enter() const;

 private:
  explicit Netns(bool fresh) : fresh_(fresh) {}
  [[nodiscard]] Failure make() const;

  const bool fresh_;
  mutable std::mutex mutex_;
  mutable Fd fd_;
};

}  // namespace nfconntrack
