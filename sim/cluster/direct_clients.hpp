// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replica/testing/shard_world.hpp"
#include "sim/cluster/history.hpp"
#include "sim/cluster/machines.hpp"

namespace skerry::sim {

constexpr std::uint64_t key_count = 12;   // of the keys that all clients put
std::string some_key(Random& random);
History::Operation read_of(const std::string& key, const store::GetOutcome& outcome, TimePoint now);

// Clients that ask one thing at a time, without a network: they believe the assignments that some node tells, until a shard is
// not where it should be. They put and read all along, and what they are told goes into the history.
class DirectClients {
 public:
  enum class Reads : std::uint8_t {
    of_leaders,
    of_anybody,   // a mistake made on purpose: of replicas that do not serve
  };
  struct Figures {
    std::uint64_t puts = 0, refused = 0, unknown = 0, gets = 0;
  };
  DirectClients(World& world, std::vector<std::unique_ptr<NodeMachine>>& nodes, History& history, Reads reads);
  ~DirectClients();

  void work();   // whoever's time has come
  void forget(const Machine& machine);   // what was asked of it is in doubt
  void rest();   // they ask nothing more, and give up what they have asked
  const Figures& figures() const { return figures_; }

 private:
  struct Client;
  struct Place {
    NodeMachine* machine;
    replica::Shard* shard;
  };
  void ask(Client& client);
  void put(Client& client, const Place& place, std::string key);
  void get(const Place& place, const std::string& key);
  void hear(Client& client);
  std::optional<Place> find(const Client& client, const std::string& key) const;

  World& world_;
  std::vector<std::unique_ptr<NodeMachine>>& nodes_;
  History& history_;
  const Reads reads_;
  std::vector<std::unique_ptr<Client>> clients_;
  Figures figures_;
};

}   // namespace skerry::sim
