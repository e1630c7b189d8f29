// SPDX-License-Identifier: Apache-2.0
#include "control/testing/raft_world.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace skerry::control {
namespace {

Task<> take_office_always(RaftWorld::Machine& machine) {
  for (;;) {
    auto office = co_await machine.metadata->take_office();
    machine.ousted = false;
    machine.office = std::move(office);
    if (machine.office->has_value()) {
      co_await machine.metadata->wait_ousted();
      machine.ousted = true;
    } else if (machine.office->error() == make_error_code(Errc::closed)) {
      co_return;
    } else {
      co_await machine.core->sleep_for(100ms);
    }
  }
}

Task<> keep_answer(Task<Result<>> task, std::optional<Result<>>& into) { into.emplace(co_await std::move(task)); }

Task<> stop_in_order(RaftWorld::Machine& machine, bool& stopped) {
  if (machine.server) co_await machine.server->stop(machine.core->now());
  co_await machine.metadata->stop();
  stopped = true;
}

}  // namespace

RaftWorld::RaftWorld(std::uint32_t machines, std::uint64_t seed)
    : random_(seed), logs_(clock, {.background = false, .sink = [this](std::string_view line) { lines.emplace_back(line); }}) {
  for (std::uint32_t number = 0; number < machines; ++number) {
    machines_.push_back(
        std::make_unique<Machine>(Machine{.name = fmt::format("c{}", number), .address = {fmt::format("host{}", number), 6650}}));
    list += fmt::format("{}c{}=host{}:6650", list.empty() ? "" : ",", number, number);
  }
}

RaftWorld::~RaftWorld() {
  for (const auto& machine : machines_) end(*machine);
}

void RaftWorld::boot(std::uint32_t number) {
  Machine& machine = at(number);
  machine.core = std::make_unique<Core>(CoreId{number}, clock, random_.next());
  machine.disk = std::make_unique<disk::SimulatedDisk>(*machine.core, machine.platters);
  machine.network = std::make_unique<net::testing::MemoryNetwork>(*machine.core, fabric, machine.address.host);
  machine.tasks = std::make_unique<TaskScope>(*machine.core);
  machine.methods = {};
  auto members = RaftMembers::parse(list, machine.name);
  SKERRY_ASSERT(members.has_value());
  MetadataRaft::Options options{.folder = "data", .cluster = cluster, .members = *members, .address = machine.name + ":public"};
  options.log_segment_bytes = 10 << 20;
  options.snapshot_after_bytes = snapshot_after_bytes;
  machine.metadata = std::make_unique<MetadataRaft>(*machine.core, *machine.disk, *machine.network, std::move(options),
                                                    logs_.logger("metadata"));
  machine.metadata->register_in(machine.methods);
  machine.server = rpc::Server::make(*machine.core, *machine.network, machine.methods, {});
  SKERRY_ASSERT(machine.server->start(machine.address).has_value());
  machine.office.reset();
  machine.ousted = false;
}

void RaftWorld::run(std::uint32_t number) {
  if (!at(number).up()) boot(number);
  at(number).tasks->spawn(take_office_always(at(number)));
}

void RaftWorld::run_all() {
  for (std::uint32_t number = 0; number < count(); ++number) run(number);
}

void RaftWorld::end(Machine& machine) {
  if (machine.core) machine.core->drop_frames();
  machine.server.reset();
  machine.metadata.reset();
  machine.tasks.reset();
  machine.network.reset();
  machine.disk.reset();
  machine.core.reset();
}

void RaftWorld::crash(std::uint32_t number) {
  for (const auto& other : machines_) fabric.break_connections(at(number).address.host, other->address.host);
  end(at(number));
  at(number).platters.crash(random_);
}

void RaftWorld::stop(std::uint32_t number) {
  bool stopped = false;
  at(number).tasks->spawn(stop_in_order(at(number), stopped));
  SKERRY_ASSERT(wait([&] { return stopped; }));
  end(at(number));
  at(number).platters.kill();
}

void RaftWorld::cut_off(std::uint32_t number) {
  for (const auto& other : machines_) {
    if (other.get() != &at(number)) fabric.cut(at(number).address.host, other->address.host);
  }
}

void RaftWorld::heal() {
  for (const auto& one : machines_) {
    for (const auto& other : machines_) fabric.heal(one->address.host, other->address.host);
  }
}

bool RaftWorld::step() {
  bool any = false;
  for (const auto& machine : machines_) {
    if (machine->core) any = machine->core->run_turn() || any;
  }
  if (any) return true;
  TimePoint next = no_deadline;
  for (const auto& machine : machines_) {
    if (machine->core) next = std::min(next, machine->core->next_timer().value_or(no_deadline));
  }
  clock.advance(next == no_deadline ? Duration(1ms) : std::clamp<Duration>(next - clock.now(), 1ns, 10ms));
  return true;
}

bool RaftWorld::wait(const std::function<bool()>& holds, Duration patience) {
  const TimePoint until = clock.now() + patience;
  while (!holds() && clock.now() < until) step();
  return holds();
}

void RaftWorld::pass(Duration time) {
  const TimePoint until = clock.now() + time;
  while (clock.now() < until) step();
}

std::optional<std::uint32_t> RaftWorld::holder(Duration patience) {
  std::optional<std::uint32_t> found;
  wait(
      [&] {
        found.reset();
        for (std::uint32_t number = 0; number < count(); ++number) {
          if (at(number).in_office()) found = number;
        }
        return found.has_value();
      },
      patience);
  return found;
}

std::optional<Result<>>& RaftWorld::begin_commit(std::uint32_t number, std::string key, std::string value) {
  auto& answer = *answers_.emplace_back(std::make_unique<std::optional<Result<>>>());
  at(number).tasks->spawn(keep_answer(at(number).metadata->commit({{std::move(key), std::move(value)}}), answer));
  return answer;
}

Result<> RaftWorld::commit(std::uint32_t number, std::string key, std::string value) {
  auto& answer = begin_commit(number, std::move(key), std::move(value));
  if (!wait([&] { return answer.has_value(); })) return fail(Errc::deadline_exceeded, "no answer in ten seconds");
  return *answer;
}

}  // namespace skerry::control
