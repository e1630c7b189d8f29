// SPDX-License-Identifier: Apache-2.0
#include "load/load.hpp"

#include <fmt/format.h>

#include <vector>

#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/random.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::bench {
namespace {

std::string key_name(std::uint64_t number) { return fmt::format("/bench/key-{:012}", number); }

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
        slot_free_(core), tasks_(core) {
    for (std::uint64_t i = 0; i < load_.keys; ++i) keys_.push_back(key_name(i));
  }

  Task<Result<Report>> measure() {
    counting_from_ = core_.clock().now() + load_.warm_up;
    end_ = counting_from_ + load_.length;
    if (load_.rate > 0) {
      co_await (load_.gather ? send_all_due() : send_when_due());
    } else {
      for (std::size_t i = 0; i < load_.in_flight; ++i) tasks_.spawn(send_after_answer());
    }
    co_await tasks_.join();
    if (!error_) co_return std::unexpected(error_.error());
    report_.elapsed = load_.length;
    co_return std::move(report_);
  }

  Task<Result<>> write_all_keys(std::size_t batch) {
    for (std::uint64_t first = 0; first < load_.keys && error_; first += batch) {
      while (busy_ >= 32) co_await slot_free_.wait();
      std::vector<Operation> operations;
      for (std::uint64_t i = first; i < std::min<std::uint64_t>(first + batch, load_.keys); ++i) {
        operations.push_back({Operation::Kind::put, keys_[i], value_});
      }
      ++busy_;
      tasks_.spawn(execute(std::move(operations), core_.clock().now()));
    }
    co_await tasks_.join();
    co_return error_;
  }

 private:
  std::vector<Operation> choose(std::size_t count) {
    const auto kind = random_.chance(load_.put_share) ? Operation::Kind::put : Operation::Kind::get;
    std::vector<Operation> operations(count);
    for (Operation& each : operations) each = {kind, keys_[random_.below(load_.keys)], value_};
    return operations;
  }

  Task<> send_after_answer() {
    while (error_ && core_.clock().now() < end_) {
      ++busy_;
      co_await execute(choose(load_.batch), core_.clock().now());
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
  Task<> execute(std::vector<Operation> operations, TimePoint from, Duration apart = Duration::zero()) {
    Result<> done = co_await target_.execute(operations);
    const TimePoint now = core_.clock().now();
    --busy_;
    slot_free_.notify_all();
    if (!done) {
      if (error_) error_ = fail(std::move(done).error());
      co_return;
    }
    if (from < counting_from_ || (load_.rate == 0 && now >= end_)) co_return;
    report_.operations += operations.size();
    if (apart == Duration::zero()) report_.latency.add(now - from);
    for (std::size_t i = 0; apart > Duration::zero() && i < operations.size(); ++i, from += apart) {
      report_.latency.add(now - from);
    }
  }

  Core& core_;
  Target& target_;
  Load load_;
  Random random_;
  Bytes value_;
  std::vector<std::string> keys_;
  TimePoint counting_from_, end_;
  std::size_t busy_ = 0;
  Signal slot_free_;
  Result<> error_;
  Report report_;
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
