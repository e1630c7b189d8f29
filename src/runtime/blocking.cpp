// SPDX-License-Identifier: Apache-2.0
#include "runtime/blocking.hpp"

#include <pthread.h>

#include "runtime/signals.hpp"

namespace skerry {

HelperThreads::HelperThreads(std::size_t count) {
  const SignalsBlocked blocked;
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { serve(); });
}

HelperThreads::~HelperThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void HelperThreads::submit(std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  changed_.notify_one();
}

std::size_t HelperThreads::waiting() const {
  const std::lock_guard lock(mutex_);
  return work_.size();
}

void HelperThreads::serve() {
  ::pthread_setname_np(::pthread_self(), "helper");
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    if (work_.empty()) return;
    auto work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace skerry
