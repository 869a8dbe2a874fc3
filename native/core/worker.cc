#include "worker.h"

namespace nfconntrack {

Failure Worker::start() {
  return thread_.start("nfct-control", [this] { run(); });
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void Worker::post(Job job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_.notify_one();
}

void Worker::run() {
  const Failure failure = prepare();
  Job job;
  while (next(job)) job(socket_, failure);
}

Failure Worker::prepare() {
  if (Failure failure = netns_->enter(); !failure.ok()) return failure;
  if (Failure failure = socket_.open(); !failure.ok()) return failure;
  portid_ = socket_.portid();
  return {};
}

bool Worker::next(Job& job) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
  if (stopping_) return false;
  job = std::move(jobs_.front());
  jobs_.pop_front();
  return true;
}

}  // namespace nfconntrack
