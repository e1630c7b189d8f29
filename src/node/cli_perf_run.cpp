// SPDX-License-Identifier: Apache-2.0
#include "node/cli_perf_run.hpp"

#include <fmt/format.h>

namespace skerry::node {
namespace {

// Beyond it the open loop waits; what falls due meanwhile is late, and counted so.
constexpr std::size_t open_loop_in_flight_max = 50'000;
// Sleeping is precise to about a millisecond, so the last of a pause is spent looking at the clock.
constexpr auto sleep_until_before = 1500us;

// Not compressible, so that nobody profits from zeros.
std::string make_value(std::size_t bytes, Random& random) {
  std::string value;
  while (value.size() < bytes) append_little_endian(value, random.next());
  value.resize(bytes);
  return value;
}

}  // namespace

PerfRun::PerfRun(Core& core, client::Client& client, PerfPlan plan)
    : core_(core), client_(client), plan_(std::move(plan)), value_(make_value(plan_.value_bytes, core.random())),
      slot_free_(core), tasks_(core) {
  for (std::uint32_t i = 0; i < plan_.keys; ++i) keys_.push_back(fmt::format("{}{}", plan_.key_prefix, i));
}

Task<> PerfRun::run() {
  counting_from_ = taken_ = core_.clock().now() + plan_.warm_up;
  end_ = plan_.duration == Duration::zero() ? TimePoint::max() : counting_from_ + plan_.duration;
  if (plan_.in_flight > 0) {
    for (std::size_t i = 0; i < plan_.in_flight; ++i) tasks_.spawn(send_after_answer());
  } else {
    co_await send_when_due();
  }
  co_await tasks_.join();
}

void PerfRun::stop() {
  stopped_ = true;
  slot_free_.notify_all();
}

PerfFigures PerfRun::take() {
  PerfFigures taken = std::exchange(figures_, {});
  const TimePoint now = std::min(core_.clock().now(), end_);
  taken.elapsed = std::max(now - taken_, Duration::zero());
  taken_ = std::max(taken_, now);
  return taken;
}

Task<> PerfRun::send_when_due() {
  const TimePoint start = core_.clock().now();
  for (std::uint64_t number = 0; !over(); ++number) {
    const TimePoint due = start + Duration(static_cast<Duration::rep>(1e9 * static_cast<double>(number) / plan_.rate));
    while (!over() && core_.clock().now() < due) {
      if (due - core_.clock().now() > 2 * sleep_until_before) {
        co_await core_.sleep_until(std::min(due - sleep_until_before, core_.clock().now() + 100ms));   // to see a stop()
      } else {
        co_await core_.yield();
      }
    }
    while (!stopped_ && busy_ >= open_loop_in_flight_max) co_await slot_free_.wait();
    if (over() || due >= end_) break;
    if (due >= counting_from_) figures_.lateness.add(core_.clock().now() - due);
    ++busy_;
    tasks_.spawn(execute(due));
    if (core_.yield_due()) co_await core_.yield();
  }
}

Task<> PerfRun::send_after_answer() {
  while (!over()) {
    ++busy_;
    co_await execute(core_.clock().now());
  }
}

Task<> PerfRun::execute(TimePoint from) {
  const std::string& key = keys_[core_.random().below(keys_.size())];
  if (core_.random().chance(plan_.read_share)) {
    const auto got = co_await client_.get(key);
    count(true, from, got || got.error() == client::ClientErrc::key_not_found ? nullptr : &got.error());
  } else {
    const auto put = co_await client_.put(key, value_);
    count(false, from, put ? nullptr : &put.error());
  }
  --busy_;
  slot_free_.notify_all();
}

void PerfRun::count(bool read, TimePoint from, const Error* error) {
  const TimePoint now = core_.clock().now();
  if (from < counting_from_ || (plan_.in_flight > 0 && now > end_)) return;
  if (error != nullptr) {
    ++figures_.failed;
    if (!figures_.first_failure) figures_.first_failure = *error;
  } else {
    (read ? figures_.reads : figures_.writes).add(now - from);
  }
}

}  // namespace skerry::node
