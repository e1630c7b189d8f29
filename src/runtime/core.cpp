// SPDX-License-Identifier: Apache-2.0
#include "runtime/core.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "base/assert.hpp"
#include "runtime/ready_handlers.hpp"
#include "runtime/reveal.hpp"

namespace skerry {

// Asio can't wait without also running a handler, and such a handler would belong to no turn: it would see an old now() and
// escape the stall detector. So a core sleeps by polling Asio's epoll descriptor, which has no public name.
struct EpollDescriptor {
  using type = int asio::detail::reactor::*;
  friend type member_of(EpollDescriptor);
};
template struct Reveal<EpollDescriptor, &asio::detail::reactor::epoll_fd_>;

namespace {

class Sleep final : public Timer {
 public:
  explicit Sleep(Core& core) : waiter_(core) {}
  auto wait() { return waiter_.wait(); }

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

Core::Core(CoreId id, const Clock& clock, std::uint64_t seed, Outside outside)
    : id_(id), clock_(clock), random_(seed), now_(clock.now()), io_(*this), handlers_(std::make_unique<ReadyHandlers>(io_)),
      waker_(outside == Outside::open ? std::make_unique<Waker>(*this) : nullptr) {}

Core::~Core() {
  for (TurnHook* hook : hooks_) hook->core_ = nullptr;
  drop_frames();
}

Core& Core::of(const CoreExecutor& executor) { return static_cast<Io&>(executor.context()).core; }

Task<> Core::sleep_until(TimePoint at) {
  if (at <= clock_.now()) co_return co_await yield();
  Sleep sleep(*this);
  timers_.arm(sleep, at);
  co_await sleep.wait();
}

Task<> Core::yield() {
  turn_over_ = yield_due();
  co_await asio::post(executor(), asio::deferred);
}

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
  if (first && waker_) waker_->wake();
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
  bool ran = inbox_ != nullptr && inbox_->deliver();
  if (timers_.run(now_) > 0) ran = true;
  if (!waker_ && !outside_.empty()) {
    take_outside_work();
    ran = true;
  }
  turn_over_ = false;
  if (handlers_->any()) {
    ReadyHandlers::Turn handlers(*handlers_);
    for (std::size_t count = 0; count < handlers_max && !turn_over_ && handlers.run_one(); ++count) {
      ran = true;
      if (count % handlers_between_looks == handlers_between_looks - 1) turn_over_ = yield_due();
    }
  }
  if (run_hooks()) ran = true;
  return ran_last_turn_ = ran;
}

void Core::wake() {
  if (sleeping_.load() && sleeping_.exchange(false)) waker_->wake();
}

void Core::wait(TimePoint until) {
  if (ran_last_turn_) return;
  // Both stores and loads are sequentially consistent: either the sender sees us asleep, or we see its mail.
  sleeping_.store(true);
  if (inbox_ == nullptr || !inbox_->has_mail()) sleep(std::min(until, timers_.next().value_or(no_deadline)));
  sleeping_.store(false);
}

void Core::sleep(TimePoint until) {
  pollfd ready{asio::use_service<asio::detail::reactor>(io_).*member_of(EpollDescriptor{}), POLLIN, 0};
  timespec rest{};
  if (until != no_deadline) {
    const Duration length = std::max(Duration::zero(), until - clock_.now());
    rest.tv_sec = static_cast<time_t>(length / 1s);
    rest.tv_nsec = static_cast<long>((length % 1s).count());
  }
  ::ppoll(&ready, 1, until == no_deadline ? nullptr : &rest, nullptr);   // a signal ends it early: harmless
}

void Core::drop_frames() {
  // A dropped handler posts its frame's destruction; a destroyed frame may drop handlers in turn.
  do {
    std::vector<detail::Resume> dropped;
    while (!parked_.empty()) dropped.push_back(parked_.front().take());
    dropped.clear();
    io_.drop();
    std::vector<std::move_only_function<void()>> outside;   // what destroyed frames of other cores left here to be freed
    {
      const std::lock_guard lock(outside_mutex_);
      outside.swap(outside_);
    }
  } while (!parked_.empty());
}

}  // namespace skerry
