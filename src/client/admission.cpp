// SPDX-License-Identifier: Apache-2.0
#include "client/admission.hpp"

#include <fmt/format.h>

namespace skerry::client {

// One who waits. Destroyed early, by cancellation, it leaves the line and gives back what it was granted.
class Admission::Waiter final : public Timer {
 public:
  Waiter(Admission& admission, std::size_t bytes, Deadline deadline)
      : admission_(admission), bytes_(bytes), over_(admission.core_) {
    place_ = admission_.waiters_.insert(admission_.waiters_.end(), this);
    if (deadline != no_deadline) admission_.core_.timers().arm(*this, deadline);
  }
  ~Waiter() override {
    if (state_ == State::waiting) admission_.waiters_.erase(place_);
    if (state_ == State::granted) admission_.leave(bytes_);
  }

  Task<bool> wait() {
    co_await over_.wait();
    if (state_ != State::granted) co_return false;
    state_ = State::taken;
    co_return true;
  }
  std::size_t bytes() const { return bytes_; }
  void grant() { end(State::granted); }

 private:
  enum class State : std::uint8_t { waiting, granted, late, taken };
  void on_due() override { end(State::late); }
  void end(State state) {
    admission_.waiters_.erase(place_);
    cancel();
    state_ = state;
    over_.set();
  }

  Admission& admission_;
  std::size_t bytes_;
  Event over_;
  std::list<Waiter*>::iterator place_;
  State state_ = State::waiting;
};

Task<Result<Admission::Lease>> Admission::enter(std::size_t bytes, Deadline deadline) {
  if (waiters_.empty() && fits(bytes)) {
    take(bytes);
    co_return Lease(*this, bytes);
  }
  Waiter waiter(*this, bytes, deadline);
  if (!co_await waiter.wait()) {
    co_return fail(Errc::resource_exhausted,
                   fmt::format("no room in time: {} operations of {} bytes are under way, the limits are {} and {}; nothing was "
                               "sent",
                               operations_, bytes_, operations_max_, bytes_max_));
  }
  co_return Lease(*this, bytes);
}

void Admission::leave(std::size_t bytes) {
  --operations_;
  bytes_ -= bytes;
  while (!waiters_.empty() && fits(waiters_.front()->bytes())) {
    Waiter& next = *waiters_.front();
    take(next.bytes());
    next.grant();
  }
}

}  // namespace skerry::client
