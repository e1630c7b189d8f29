// SPDX-License-Identifier: Apache-2.0
#include "disk/helper_thread.hpp"

#include "runtime/core.hpp"
#include "runtime/signals.hpp"

namespace skerry::disk {

HelperThread::~HelperThread() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    jobs_.clear();
  }
  ready_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Task<long> HelperThread::run(std::move_only_function<long()> call) {
  const auto pending = std::make_shared<PendingCall>(core_);
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(call), pending});
  }
  ready_.notify_one();
  if (!thread_.joinable()) {
    const SignalsBlocked blocked;   // the process may not have claimed its signals yet
    thread_ = std::thread([this] { loop(); });
  }
  co_await pending->done.wait();
  co_return pending->result;
}

void HelperThread::loop() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (closing_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    const long result = job.call();
    job.call = nullptr;   // what it owns goes here, not on the core
    core_.post_from_outside([pending = std::move(job.pending), result] { pending->finish(result); });
  }
}

}  // namespace skerry::disk
