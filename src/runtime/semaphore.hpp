// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <utility>

#include "base/result.hpp"
#include "runtime/wait_list.hpp"

namespace skerry {

class Semaphore;

// Units taken from a semaphore; given back by the destructor. The semaphore must outlive it.
class SemaphoreUnits {
 public:
  SemaphoreUnits() = default;
  SemaphoreUnits(SemaphoreUnits&& other) noexcept
      : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  SemaphoreUnits& operator=(SemaphoreUnits&& other) noexcept {
    release();
    semaphore_ = std::exchange(other.semaphore_, nullptr);
    count_ = std::exchange(other.count_, 0);
    return *this;
  }
  ~SemaphoreUnits() { release(); }
  void release();
  std::size_t count() const { return count_; }

 private:
  friend class Semaphore;
  SemaphoreUnits(Semaphore& semaphore, std::size_t count) : semaphore_(&semaphore), count_(count) {}
  Semaphore* semaphore_ = nullptr;
  std::size_t count_ = 0;
};

// Units of something limited (calls, bytes), given out in order of asking. One core's; guards a queue or a memory budget.
class Semaphore {
 public:
  Semaphore(Core& core, std::size_t capacity) : core_(core), capacity_(capacity), available_(capacity) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Waits for its turn and for `count` units. More than the capacity counts as all of it, so that one large request passes alone
  // instead of never. Fails with closed.
  Task<Result<SemaphoreUnits>> acquire(std::size_t count = 1);
  // Units, or nothing (count() == 0) when it would have to wait or is closed.
  SemaphoreUnits try_acquire(std::size_t count = 1);
  // Ends every wait, now and later, with closed. Units already given stay valid.
  void close();

  std::size_t available() const { return available_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t waiting() const { return waiters_.size(); }

 private:
  friend class SemaphoreUnits;
  struct Waiter : boost::intrusive::list_base_hook<> {
    Waiter(Core& core, std::size_t units) : woken(core), count(units) {}
    WaitList woken;
    std::size_t count;
    bool granted = false;
  };
  class Place;
  void give_back(std::size_t count);
  void grant();

  Core& core_;
  std::size_t capacity_, available_;
  bool closed_ = false;
  boost::intrusive::list<Waiter> waiters_;
};

inline void SemaphoreUnits::release() {
  if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back(std::exchange(count_, 0));
}

}   // namespace skerry
