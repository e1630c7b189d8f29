// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/metadata_raft.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "net/testing/memory_network.hpp"
#include "rpc/server.hpp"

namespace skerry::control {

// A few coordinators' machines: each with a disk that forgets, a core of its own, and a port in a network in memory; one clock,
// which moves when nothing else can. Any of them may crash and start again.
class RaftWorld {
 public:
  explicit RaftWorld(std::uint32_t machines, std::uint64_t seed = 1);
  ~RaftWorld();

  struct Machine {
    std::string name;
    net::Address address;
    disk::SimulatedDiskState platters = {};
    std::unique_ptr<Core> core = nullptr;
    std::unique_ptr<disk::SimulatedDisk> disk = nullptr;
    std::unique_ptr<net::testing::MemoryNetwork> network = nullptr;
    std::unique_ptr<TaskScope> tasks = nullptr;
    rpc::Methods methods = {};
    std::unique_ptr<MetadataRaft> metadata = nullptr;
    std::unique_ptr<rpc::Server> server = nullptr;
    // Of the newest take_office() that has ended.
    std::optional<Result<Metadata::Office>> office = std::nullopt;
    bool ousted = false;   // from it

    bool up() const { return metadata != nullptr; }
    bool in_office() const { return up() && office && office->has_value() && !ousted; }
  };

  Machine& at(std::uint32_t machine) { return *machines_[machine]; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(machines_.size()); }

  void boot(std::uint32_t machine);   // wants nothing yet
  void run(std::uint32_t machine);   // and from now on takes office whenever it can
  void run_all();
  void crash(std::uint32_t machine);   // with the power
  void stop(std::uint32_t machine);   // in order
  void cut_off(std::uint32_t machine);
  void heal();

  // Lets things happen until it holds; false after ten seconds of the world's time.
  bool wait(const std::function<bool()>& holds, Duration patience = 10s);
  void pass(Duration time);
  // Who is in office, waited for.
  std::optional<std::uint32_t> holder(Duration patience = 10s);
  Result<> commit(std::uint32_t machine, std::string key, std::string value);
  std::optional<Result<>>& begin_commit(std::uint32_t machine, std::string key, std::string value);

  ManualClock clock;
  net::testing::MemoryFabric fabric;
  std::string cluster = "one";
  std::string list;   // of the coordinators
  std::vector<std::string> lines;   // that they logged
  std::size_t snapshot_after_bytes = 4 << 20;

 private:
  void end(Machine& machine);
  bool step();

  Random random_;
  LogRegistry logs_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<std::optional<Result<>>>> answers_;
};

}   // namespace skerry::control
