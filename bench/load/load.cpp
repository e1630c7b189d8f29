// SPDX-License-Identifier: Apache-2.0
#include "load/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "load/shuffle.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/random.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::bench {
namespace {

constexpr std::string_view key_stem = "/bench/key-", key_end = "/bench/key.";   // all keys lie between these
constexpr std::size_t key_digits = 12;
using KeyText = std::array<char, key_stem.size() + key_digits>;

KeyText key_text(std::uint64_t number) {
  KeyText text;
  std::ranges::copy(key_stem, text.begin());
  for (std::size_t at = text.size(); at > key_stem.size(); number /= 10) text[--at] = static_cast<char>('0' + number % 10);
  return text;
}

// Operations that go together, with the keys they are about.
class Message {
 public:
  Message(Operation::Kind kind, BytesView value, std::vector<std::uint64_t> numbers) {
    keys_.reserve(numbers.size());
    operations_.reserve(numbers.size());
    for (const std::uint64_t number : numbers) {
      const KeyText& key = keys_.emplace_back(key_text(number));
      operations_.push_back({kind, {key.data(), key.size()}, value});
    }
  }
  std::span<const Operation> operations() const { return operations_; }

 private:
  std::vector<KeyText> keys_;
  std::vector<Operation> operations_;
};

// Not compressible, so that no store profits from zeros.
Bytes make_value(std::size_t bytes, Random& random) {
  Bytes value;
  while (value.size() < bytes) append_little_endian(value, random.next());
  value.resize(bytes);
  return value;
}

// One run in progress. All its tasks are on one core.
class Run {
 public:
  Run(Core& core, Target& target, const Load& load)
      : core_(core), target_(target), load_(load), random_(load.seed), value_(make_value(load.value_bytes, random_)),
        order_(load.keys, load.seed), slot_free_(core), tasks_(core) {}

  Task<Result<Report>> measure() {
    if (load_.followers > 0) CO_TRYV(co_await start_followers());
    const TimePoint began = core_.clock().now();
    counting_from_ = began + (load_.each_once ? Duration::zero() : load_.warm_up);
    end_ = load_.each_once ? TimePoint::max() : counting_from_ + load_.length;
    if (load_.rate > 0) {
      co_await (load_.gather ? send_all_due() : send_when_due());
    } else {
      for (std::size_t i = 0; i < load_.in_flight; ++i) tasks_.spawn(load_.range ? read_range_again() : send_after_answer());
    }
    co_await tasks_.join();
    if (error_ && load_.followers > 0) error_ = co_await all_told();
    if (!error_) co_return std::unexpected(error_.error());
    report_.elapsed = load_.each_once ? core_.clock().now() - began : load_.length;
    report_.slowest_second = slowest_second();
    co_return std::move(report_);
  }

  Task<Result<>> write_all_keys(std::size_t batch) {
    for (std::uint64_t first = 0; first < load_.keys && error_; first += batch) {
      while (busy_ >= 32) co_await slot_free_.wait();
      std::vector<std::uint64_t> numbers;
      for (std::uint64_t i = first; i < std::min<std::uint64_t>(first + batch, load_.keys); ++i) numbers.push_back(i);
      ++busy_;
      tasks_.spawn(execute(Message(Operation::Kind::put, value_, std::move(numbers)), core_.clock().now()));
    }
    co_await tasks_.join();
    co_return error_;
  }

 private:
  Message choose(std::size_t count) {
    const auto kind = random_.chance(load_.put_share) ? Operation::Kind::put : Operation::Kind::get;
    std::vector<std::uint64_t> numbers(count);
    for (std::uint64_t& each : numbers) each = random_.below(load_.keys);
    return {kind, value_, std::move(numbers)};
  }

  Message choose_new(std::size_t count) {
    std::vector<std::uint64_t> numbers(std::min<std::uint64_t>(count, load_.keys - put_once_));
    for (std::uint64_t& each : numbers) each = order_.at(put_once_++);
    return {Operation::Kind::put, value_, std::move(numbers)};
  }

  Task<> send_after_answer() {
    while (error_ && core_.clock().now() < end_ && !(load_.each_once && put_once_ == load_.keys)) {
      ++busy_;
      co_await execute(load_.each_once ? choose_new(load_.batch) : choose(load_.batch), core_.clock().now());
    }
  }

  Task<> read_range_again() {
    while (error_ && core_.clock().now() < end_) {
      const TimePoint from = core_.clock().now();
      ++busy_;
      auto found = co_await target_.read_range({*load_.range, key_stem, key_end});
      if (found && *found != load_.keys) {
        found = fail(Errc::not_found, fmt::format("{} of {} keys were found", *found, load_.keys));
      }
      answered(found ? Result<>() : fail(std::move(found).error()), load_.keys, from);
    }
  }

  Task<> send_when_due() {
    const auto interval = Duration(static_cast<std::int64_t>(1e9 * static_cast<double>(load_.batch) / load_.rate));
    for (TimePoint due = core_.clock().now(); error_ && due < end_; due += interval) {
      while (core_.clock().now() < due) co_await core_.yield();
      while (busy_ >= load_.in_flight) co_await slot_free_.wait();
      if (due >= counting_from_) report_.lateness.add(core_.clock().now() - due);
      ++busy_;
      tasks_.spawn(execute(choose(load_.batch), due));
    }
  }

  // What fell due since the last message goes as one, up to `batch` operations; each is timed from when it was due itself.
  Task<> send_all_due() {
    const auto interval = Duration(static_cast<std::int64_t>(1e9 / load_.rate));
    for (TimePoint due = core_.clock().now(); error_ && due < end_;) {
      while (core_.clock().now() < due) co_await core_.yield();
      while (busy_ >= load_.in_flight) co_await slot_free_.wait();
      const TimePoint first = due, now = core_.clock().now();
      std::size_t count = 0;
      for (; due <= now && due < end_ && count < load_.batch; due += interval) ++count;
      if (first >= counting_from_) report_.lateness.add(now - first);
      ++busy_;
      tasks_.spawn(execute(choose(count), first, interval));
    }
  }

  // `from` is when the first operation was due, `apart` how much later each of the others.
  Task<> execute(Message message, TimePoint from, Duration apart = Duration::zero()) {
    if (load_.followers > 0) due_.push_back(from);
    Result<> done = co_await target_.execute(message.operations());
    answered(std::move(done), message.operations().size(), from, apart);
  }

  void answered(Result<> done, std::size_t count, TimePoint from, Duration apart = Duration::zero()) {
    const TimePoint now = core_.clock().now();
    --busy_;
    slot_free_.notify_all();
    if (!done) {
      if (error_) error_ = fail(std::move(done).error());
      return;
    }
    if (from < counting_from_ || (load_.rate == 0 && now >= end_)) return;
    report_.operations += count;
    count_in_second(now, count);
    if (apart == Duration::zero()) report_.latency.add(now - from);
    for (std::size_t i = 0; apart > Duration::zero() && i < count; ++i, from += apart) report_.latency.add(now - from);
  }

  void count_in_second(TimePoint now, std::size_t count) {
    const auto second = static_cast<std::size_t>((now - counting_from_) / Duration(1s));
    if (second >= seconds_.size()) seconds_.resize(second + 1);
    seconds_[second] += count;
  }

  // The last second is a part of one, but where it is the only one.
  std::uint64_t slowest_second() const {
    if (seconds_.empty()) return 0;
    return *std::min_element(seconds_.begin(), seconds_.size() > 1 ? seconds_.end() - 1 : seconds_.end());
  }

  Task<Result<>> start_followers() {
    FollowerOptions options{.followers = load_.followers, .connections = load_.follower_connections, .told = {}};
    options.told = [this](std::int64_t offset) { told(offset); };
    CO_TRY(const std::int64_t from, co_await target_.follow(std::move(options)));
    offset_first_ = from + 1;
    co_return Result<>();
  }

  // Writes have offsets in the order in which they were sent: nobody else writes.
  void told(std::int64_t offset) {
    const auto at = static_cast<std::size_t>(offset - offset_first_);
    if (at >= due_.size()) {
      if (error_) error_ = fail(Errc::internal, fmt::format("a follower was told of offset {}, which was not written", offset));
      return;
    }
    ++told_;
    if (due_[at] >= counting_from_) report_.delivered.add(core_.clock().now() - due_[at]);
  }

  Task<Result<>> all_told() {
    const TimePoint deadline = core_.clock().now() + 20s;
    while (told_ < due_.size() * load_.followers) {
      if (core_.clock().now() > deadline) {
        co_return fail(Errc::internal,
                       fmt::format("followers were told {} times instead of {}", told_, due_.size() * load_.followers));
      }
      co_await core_.yield();
    }
    co_return error_;
  }

  Core& core_;
  Target& target_;
  Load load_;
  Random random_;
  Bytes value_;
  Shuffle order_;
  std::uint64_t put_once_ = 0;         // each_once: of the order
  TimePoint counting_from_, end_;
  std::size_t busy_ = 0;
  Signal slot_free_;
  Result<> error_;
  Report report_;
  std::vector<std::uint64_t> seconds_;   // operations answered in each
  std::int64_t offset_first_ = 0;        // of what this run writes
  std::vector<TimePoint> due_;           // by offset, where there are followers
  std::uint64_t told_ = 0;
  TaskScope tasks_;
};

}  // namespace

Task<Result<>> preload(Core& core, Target& target, Load load) {
  Run run(core, target, load);
  co_return co_await run.write_all_keys(load.batch);
}

Task<Result<Report>> run_load(Core& core, Target& target, Load load) {
  Run run(core, target, load);
  co_return co_await run.measure();
}

}  // namespace skerry::bench
