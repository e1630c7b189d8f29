// SPDX-License-Identifier: Apache-2.0
#include "sim/store_sim.hpp"

#include <fmt/format.h>

#include "replica/shard_error.hpp"
#include "sim/note.hpp"

namespace skerry::sim {
namespace {

constexpr int clients = 4;
constexpr int boot_turns_max = 20'000;   // a boot that takes longer will never end

}  // namespace

StoreSim::StoreSim(StoreSimOptions options)
    : options_(options), world_(options.seed), trace_(options.print),
      order_(world_.random.chance(0.5) ? store::KeyOrder::natural : store::KeyOrder::hierarchical), model_(order_),
      machine_(world_, *this, order_, options.planted) {}

StoreSimReport StoreSim::run() {
  const auto lives = 1 + world_.random.below(static_cast<std::uint64_t>(options_.lives_max));
  for (std::uint64_t life = 0; life < lives && report_.failure.empty(); ++life) live();
  if (report_.failure.empty()) settle_down();
  machine_.kill();
  report_.trace_hash = trace_.hash();
  return report_;
}

// A process comes up, works, and goes in one way or another; perhaps while it still comes up.
void StoreSim::live() {
  machine_.platters.faults = {};
  if (world_.random.chance(0.5)) machine_.platters.faults.sync_takes = Duration(world_.random.below(30'000'000));
  if (!boot()) return;
  start_tasks();
  if (world_.random.chance(0.2)) machine_.platters.faults.fail_sync = 1 + world_.random.below(100);
  if (world_.random.chance(0.1)) machine_.platters.faults.fail_write = 1 + world_.random.below(200);
  const auto turns = world_.random.below(static_cast<std::uint64_t>(options_.turns_max));
  for (std::uint64_t turn = 0; turn < turns && report_.failure.empty() && world_.step(); ++turn) {
    if (world_.random.chance(0.0005)) world_.clock.jump_wall(Duration(1min) - Duration(world_.random.below(120)) * 1'000'000'000);
    if (stopped_ && world_.random.chance(0.05)) break;
  }
  advance();
  if (report_.failure.empty()) end_life();
}

bool StoreSim::boot() {
  stopped_ = false;
  machine_.boot();
  note("boot");
  std::optional<Result<>> outcome;
  machine_.tasks().spawn(boot_task(outcome));
  const bool interrupted = world_.random.chance(0.1);
  const auto turns = interrupted ? world_.random.below(60) : boot_turns_max;
  for (std::uint64_t turn = 0; turn < turns && !outcome && report_.failure.empty() && world_.step(); ++turn) {}
  if (outcome && !*outcome) fail_run("the shard does not open: " + outcome->error().message());
  if (!outcome && !interrupted) fail_run("the shard never opens");
  if (!report_.failure.empty()) return false;
  if (outcome) return true;
  note("crash while booting");
  ++report_.crashes;
  machine_.crash();
  return false;
}

Task<> StoreSim::boot_task(std::optional<Result<>>& outcome) {
  Result<> opened = co_await machine_.open();
  if (opened) {
    resolve_after_crash();
    advance();
    co_await check_everything();
  }
  outcome = std::move(opened);
}

// Of what was in flight, the entries below the first barrier since the crash have lasted, and no others.
void StoreSim::resolve_after_crash() {
  note("up, barrier at ", machine_.shard()->recovery().barrier.value());
  if (cut_ <= applied_) {
    return fail_run(fmt::format("entry {} was acknowledged, but the log ended before {}", applied_.value(), cut_.value()));
  }
  for (const FlightPtr& flight : std::exchange(in_flight_, {})) {
    const bool lasted = flight->offset() != no_offset && flight->offset() < cut_;
    const bool answered = take_answer(*flight) && *flight->answer;
    const bool refused =
        flight->answer && !answered && flight->answer->error() != make_error_code(replica::ShardError::outcome_unknown);
    if (lasted && refused) return fail_run("what was refused as not applied has been applied");
    if (answered && !lasted && flight->offset() != no_offset) {
      return fail_run(fmt::format("entry {} was acknowledged and is lost", flight->offset().value()));
    }
    if (flight->operation.id && !answered) retries_.push_back(flight->operation);
    if (lasted) {
      in_flight_.push_back(flight);
    } else {
      ++report_.lost_in_flight;
    }
  }
  cut_ = nowhere;
  closing_.clear();
  for (auto& [session, heard] : heard_) heard = machine_.core().now();   // each has its whole timeout again
}

void StoreSim::start_tasks() {
  TaskScope& tasks = machine_.tasks();
  tasks.spawn(follow());
  tasks.spawn(expiry());
  tasks.spawn(heartbeats());
  tasks.spawn(checkpoints());
  if (quiet_) return;
  tasks.spawn(retry_all());
  for (int number = 0; number < clients; ++number) tasks.spawn(client(number));
}

void StoreSim::end_life() {
  ++report_.crashes;
  const std::uint64_t dice = world_.random.below(10);
  if (dice < 6) {
    note("crash");
    machine_.crash();
  } else if (dice < 8 || stopped_) {
    note("kill");
    machine_.kill();
  } else {
    note("stop");
    quiet_ = true;
    std::optional<Result<>> outcome;
    machine_.tasks().spawn(stop_task(outcome));
    for (int turn = 0; turn < boot_turns_max && !outcome && world_.step(); ++turn) {}
    quiet_ = false;
    if (!outcome) fail_run("the shard never stops");
    // A fault that was planted in the disk may strike now; what it leaves is for the next boot to tell.
    advance();
    machine_.crash();
  }
}

Task<> StoreSim::stop_task(std::optional<Result<>>& outcome) { outcome = co_await machine_.stop(); }

// The last life: nothing fails any more. Everything must be told and every silent session end.
void StoreSim::settle_down() {
  machine_.platters.faults = {};
  quiet_ = true;
  kept_alive_.clear();
  while (report_.failure.empty() && !boot()) {}
  if (!report_.failure.empty()) return;
  start_tasks();
  const TimePoint until = world_.clock.now() + 20s;
  while (report_.failure.empty() && world_.clock.now() < until && world_.step()) {}
  advance();
  if (!report_.failure.empty()) return;
  if (!in_flight_.empty()) return fail_run("something is in flight for ever");
  if (!model_.sessions().empty()) {
    return fail_run(fmt::format("session {} was silent for 20 s and never expired", model_.sessions().begin()->value()));
  }
  if (compared_ != told_.size()) {
    return fail_run(fmt::format("the follower was told of {} changes out of {}", compared_, told_.size()));
  }
  bool checked = false;
  machine_.tasks().spawn(check_task(checked));
  while (!checked && world_.step()) {}
}

Task<> StoreSim::check_task(bool& done) {
  co_await check_everything();
  done = true;
}

}  // namespace skerry::sim
