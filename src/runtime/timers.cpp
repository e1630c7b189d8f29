// SPDX-License-Identifier: Apache-2.0
#include "runtime/timers.hpp"

#include <algorithm>
#include <bit>

namespace skerry {

void Timer::cancel() {
  if (timers_ != nullptr) timers_->remove(*this);
}

Timers::~Timers() {
  for (List& list : wheel_) list.clear_and_dispose([](Timer* timer) { timer->timers_ = nullptr; });
  due_.clear_and_dispose([](Timer* timer) { timer->timers_ = nullptr; });
}

Timers::Tick Timers::tick_of(TimePoint at) {
  return static_cast<Tick>(std::max<std::int64_t>(at.time_since_epoch().count(), 0)) >> tick_bits;
}

TimePoint Timers::time_of(Tick tick) { return TimePoint(Duration(static_cast<std::int64_t>(tick << tick_bits))); }

void Timers::arm(Timer& timer, TimePoint at) {
  timer.cancel();
  timer.at_ = at;
  timer.order_ = armed_++;
  timer.timers_ = this;
  ++size_;
  insert(timer);
}

void Timers::insert(Timer& timer) {
  const Tick tick = std::max(tick_of(timer.at_), current_);
  const Tick difference = tick ^ current_;
  const int level = difference == 0 ? 0 : (static_cast<int>(std::bit_width(difference)) - 1) / digit_bits;
  const std::size_t digit = (tick >> (level * digit_bits)) & (slots - 1);
  timer.slot_ = static_cast<std::uint16_t>(static_cast<std::size_t>(level) * slots + digit);
  wheel_[timer.slot_].push_back(timer);
  occupied_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << digit;
  quiet_until_ = std::min(quiet_until_, level == 0 ? timer.at_ : time_of(start_of(timer.slot_)));
}

void Timers::remove(Timer& timer) {
  List& list = timer.slot_ == due_slot ? due_ : wheel_[timer.slot_];
  list.erase(list.iterator_to(timer));
  if (timer.slot_ != due_slot && list.empty()) occupied_[timer.slot_ / slots] &= ~(std::uint64_t{1} << (timer.slot_ % slots));
  timer.timers_ = nullptr;
  --size_;
}

// The lowest level first, then the lowest digit: at each level only digits from the current one on are in use.
std::optional<std::uint16_t> Timers::first_slot() const {
  for (std::size_t level = 0; level < levels; ++level) {
    if (occupied_[level] != 0)
      return static_cast<std::uint16_t>(level * slots + static_cast<std::size_t>(std::countr_zero(occupied_[level])));
  }
  return std::nullopt;
}

Timers::Tick Timers::start_of(std::uint16_t slot) const {
  const auto level = static_cast<int>(slot / slots);
  const Tick above = current_ >> ((level + 1) * digit_bits);
  return ((above << digit_bits) | (slot % slots)) << (level * digit_bits);
}

std::optional<TimePoint> Timers::next() const {
  if (!due_.empty()) return due_.front().at_;
  const auto slot = first_slot();
  if (!slot) return std::nullopt;
  if (*slot >= slots) return time_of(start_of(*slot));
  const List& list = wheel_[*slot];
  return std::ranges::min_element(list, {}, &Timer::at_)->at_;
}

void Timers::cascade(std::uint16_t slot) {
  List timers;
  timers.swap(wheel_[slot]);
  occupied_[slot / slots] &= ~(std::uint64_t{1} << (slot % slots));
  while (!timers.empty()) {
    Timer& timer = timers.front();
    timers.pop_front();
    insert(timer);
  }
}

bool Timers::advance(TimePoint now) {
  const Tick now_tick = std::max(tick_of(now), current_);
  for (;;) {
    const auto slot = first_slot();
    if (!slot || start_of(*slot) > now_tick) {
      // Nothing lies between, so every timer still stands at its right level.
      current_ = now_tick;
      return false;
    }
    current_ = std::max(current_, start_of(*slot));
    if (*slot >= slots) {
      cascade(*slot);
      continue;
    }
    List& list = wheel_[*slot];
    for (auto each = list.begin(); each != list.end();) {
      Timer& timer = *each++;
      if (timer.at_ > now) continue;
      list.erase(list.iterator_to(timer));
      timer.slot_ = due_slot;
      due_.push_back(timer);
    }
    if (list.empty()) occupied_[0] &= ~(std::uint64_t{1} << *slot);
    if (due_.empty()) return false;   // of this very tick, but later
    due_.sort([](const Timer& a, const Timer& b) { return a.at_ != b.at_ ? a.at_ < b.at_ : a.order_ < b.order_; });
    return true;
  }
}

std::size_t Timers::run(TimePoint now) {
  if (now < quiet_until_) {
    current_ = std::max(tick_of(now), current_);   // nothing lies between
    return 0;
  }
  std::size_t count = 0;
  while (!due_.empty() || advance(now)) {
    Timer& timer = due_.front();
    timer.cancel();
    timer.on_due();
    ++count;
  }
  quiet_until_ = next().value_or(no_deadline);
  return count;
}

}  // namespace skerry
