// SPDX-License-Identifier: Apache-2.0
#include "runtime/semaphore.hpp"

#include <algorithm>

#include "runtime/core.hpp"

namespace skerry {

// A waiter's place in the line. Whoever leaves early may have held up those behind; or was cancelled, and then granted before it
// heard of that.
class Semaphore::Place {
 public:
  Place(Semaphore& semaphore, std::size_t count) : semaphore_(semaphore), waiter_(semaphore.core_, count) {
    semaphore.waiters_.push_back(waiter_);
  }
  ~Place() {
    if (waiter_.granted) semaphore_.give_back(waiter_.count);
    if (!waiter_.is_linked()) return;
    semaphore_.waiters_.erase(semaphore_.waiters_.iterator_to(waiter_));
    semaphore_.grant();
  }
  auto wait() { return waiter_.woken.wait(); }
  bool take() { return std::exchange(waiter_.granted, false); }

 private:
  Semaphore& semaphore_;
  Waiter waiter_;
};

Task<Result<SemaphoreUnits>> Semaphore::acquire(std::size_t count) {
  count = std::min(count, capacity_);
  if (closed_) co_return fail(Errc::closed, "the semaphore is closed");
  if (waiters_.empty() && count <= available_) {
    available_ -= count;
    co_return SemaphoreUnits(*this, count);
  }
  Place place(*this, count);
  co_await place.wait();
  if (!place.take()) co_return fail(Errc::closed, "the semaphore was closed");
  co_return SemaphoreUnits(*this, count);
}

SemaphoreUnits Semaphore::try_acquire(std::size_t count) {
  count = std::min(count, capacity_);
  if (closed_ || !waiters_.empty() || count > available_) return {};
  available_ -= count;
  return {*this, count};
}

void Semaphore::close() {
  closed_ = true;
  while (!waiters_.empty()) {
    Waiter& waiter = waiters_.front();
    waiters_.pop_front();
    waiter.woken.wake_all();
  }
}

void Semaphore::give_back(std::size_t count) {
  available_ += count;
  grant();
}

void Semaphore::grant() {
  while (!waiters_.empty() && waiters_.front().count <= available_) {
    Waiter& waiter = waiters_.front();
    waiters_.pop_front();
    available_ -= waiter.count;
    waiter.granted = true;
    waiter.woken.wake_all();
  }
}

}   // namespace skerry
