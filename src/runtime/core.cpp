// SPDX-License-Identifier: Apache-2.0
#include "runtime/core.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/assert.hpp"

namespace skerry {
namespace {

class Sleep final : public Timer {
 public:
  explicit Sleep(Core& core) : waiter_(core) {}
  Task<> wait() { return waiter_.wait(); }

 private:
  void on_due() override { waiter_.wake_all(); }
  WaitList waiter_;
};

}  // namespace

TurnHook::~TurnHook() {
  if (core_ == nullptr) return;
  std::erase(core_->hooks_, this);
  std::ranges::replace(core_->running_hooks_, this, nullptr);
}

// Wakes the loop from other threads. The loop itself has no locks, so this is its only door.
class Core::Waker {
 public:
  explicit Waker(Core& core) : core_(core), descriptor_(core.io_, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { listen(); }

  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(descriptor_.native_handle(), &one, sizeof one);
  }

 private:
  void listen() {
    descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [this](boost::system::error_code error) {
      if (error) return;
      std::uint64_t count = 0;
      [[maybe_unused]] const auto taken = ::read(descriptor_.native_handle(), &count, sizeof count);
      core_.take_outside_work();
      listen();
    });
  }

  Core& core_;
  asio::posix::basic_stream_descriptor<CoreExecutor> descriptor_;
};

Core::Core(CoreId id, const Clock& clock, std::uint64_t seed)
    : id_(id), clock_(clock), random_(seed), now_(clock.now()), io_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
      waker_(std::make_unique<Waker>(*this)) {}

Core::~Core() {
  for (TurnHook* hook : hooks_) hook->core_ = nullptr;
  drop_frames();
}

Task<> Core::sleep_until(TimePoint at) {
  if (at <= clock_.now()) co_return co_await yield();
  Sleep sleep(*this);
  timers_.arm(sleep, at);
  co_await sleep.wait();
}

Task<> Core::yield() { co_await asio::post(executor(), asio::use_awaitable_t<CoreExecutor>()); }

void Core::at_turn_end(TurnHook& hook) {
  if (hook.core_ != nullptr) return;
  hook.core_ = this;
  hooks_.push_back(&hook);
}

void Core::post_from_outside(std::move_only_function<void()> work) {
  bool first = false;
  {
    const std::lock_guard lock(outside_mutex_);
    first = outside_.empty();
    outside_.push_back(std::move(work));
  }
  if (first) waker_->wake();
}

void Core::take_outside_work() {
  std::vector<std::move_only_function<void()>> work;
  {
    const std::lock_guard lock(outside_mutex_);
    work.swap(outside_);
  }
  for (auto& each : work) each();
}

bool Core::run_hooks() {
  if (hooks_.empty()) return false;
  running_hooks_.swap(hooks_);
  for (std::size_t i = 0; i < running_hooks_.size(); ++i) {
    TurnHook* hook = running_hooks_[i];
    if (hook == nullptr) continue;   // destroyed by an earlier hook
    hook->core_ = nullptr;
    running_hooks_[i] = nullptr;
    hook->on_turn_end();
  }
  running_hooks_.clear();
  return true;
}

bool Core::run_turn(std::size_t handlers_max) {
  now_ = clock_.now();
  bool ran = timers_.run(now_) > 0;
  io_.restart();
  for (std::size_t count = 0; count < handlers_max && io_.poll_one() > 0; ++count) ran = true;
  return run_hooks() || ran;
}

void Core::wait(TimePoint until) {
  const TimePoint wake = std::min(until, timers_.next().value_or(no_deadline));
  io_.restart();
  if (wake == no_deadline) {
    io_.run_one();
  } else {
    io_.run_one_until(wake);
  }
  now_ = clock_.now();
}

void Core::drop_frames() {
  // A dropped handler posts its frame's destruction; a destroyed frame may drop handlers in turn.
  do {
    std::vector<std::move_only_function<void(boost::system::error_code)>> dropped;
    while (!parked_.empty()) {
      detail::Parked& parked = parked_.front();
      parked.detail::InCore::unlink();
      parked.detail::InWaitList::unlink();
      dropped.push_back(std::exchange(parked.resume, nullptr));
    }
    dropped.clear();
    io_.drop();
  } while (!parked_.empty());
}

}  // namespace skerry
