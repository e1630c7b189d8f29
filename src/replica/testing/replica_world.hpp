// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "replica/testing/shard_world.hpp"

namespace skerry::replica {

// Several machines with a replica of one shard each, and the network between them: messages arrive a millisecond later, unless
// the way is cut. The test is the coordinator. One thread, time is moved by hand or when nothing else can happen.
class ReplicaWorld {
 public:
  static constexpr ShardId shard_id{7};
  struct Options {
    std::uint64_t seed = 1;
    enum class Engines : std::uint8_t { memory, tables } engines = Engines::memory;
    // Nothing: logs are not trimmed, and engines not made durable but when they stop.
    std::optional<ShardGroupOptions> housekeeping = std::nullopt;
  };

  explicit ReplicaWorld(std::uint32_t machines) : ReplicaWorld(machines, Options{}) {}
  ReplicaWorld(std::uint32_t machines, Options options);
  ~ReplicaWorld();

  // Runs the task on that machine to its end.
  template <class T>
  T run(std::uint32_t machine, Task<T> task) {
    std::optional<T> result;
    tasks(machine).spawn(keep(std::move(task), result));
    while (!result && step()) {}
    SKERRY_ASSERT(result.has_value());   // it waits for something that never comes
    return std::move(*result);
  }
  void pass(Duration time);
  // Until it holds; false when ten seconds were not enough.
  bool wait(const std::function<bool()>& holds);

  Shard& shard(std::uint32_t machine);
  disk::SimulatedDiskState& disk(std::uint32_t machine);
  disk::LogShard log(std::uint32_t machine) const;
  bool up(std::uint32_t machine) const;
  void crash(std::uint32_t machine);   // with the power
  Result<> start(std::uint32_t machine);
  void cut(std::uint32_t machine) { cut_.insert(machine); }
  void mend(std::uint32_t machine) { cut_.erase(machine); }
  // Of all that a replica's state holds, and of what it stands for.
  std::uint32_t checksum(std::uint32_t machine);
  // Blocks of snapshots that were sent to that one so far, lost or not.
  std::uint64_t blocks_sent_to(std::uint32_t machine) const {
    return blocks_sent_.contains(machine) ? blocks_sent_.at(machine) : 0;
  }

  // Fences the machines in a term above all before, and lets the one with the highest head lead; or that one which is named.
  Result<std::uint32_t> elect(std::vector<std::uint32_t> fenced, std::vector<std::uint32_t> voters,
                              std::optional<std::uint32_t> named = std::nullopt);
  Term term{0};
  MembershipVersion version{0};
  ManualClock clock;

 private:
  struct Machine;
  struct InTheAir {
    TimePoint at;
    std::uint32_t from, to;
    std::function<void(Machine&)> arrive;
  };
  class Network;
  struct Transfer;
  class Arriving;

  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  TaskScope& tasks(std::uint32_t machine);
  bool step();
  bool turn();
  bool waits_for_compactions() const;
  bool deliver();
  void exchange_heartbeats();
  void end(Machine& machine);
  Result<> open_engine(Machine& machine);
  void send(std::uint32_t from, std::uint32_t to, std::function<void(Machine&)> arrive);

  Random random_;
  const Options options_;
  std::map<std::uint32_t, std::uint64_t> blocks_sent_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::set<std::uint32_t> cut_;
  std::deque<InTheAir> air_;
  TimePoint next_heartbeats_;
};

}   // namespace skerry::replica
