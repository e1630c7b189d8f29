// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/direct_clients.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "replica/shard_error.hpp"

namespace skerry::sim {
namespace {

constexpr std::size_t client_count = 4;
constexpr Duration call_patience = 1s;

}  // namespace

std::string some_key(Random& random) { return fmt::format("key{}", random.below(key_count)); }

History::Operation read_of(const std::string& key, const store::GetOutcome& outcome, TimePoint now) {
  const bool there = outcome.status == store::Status::ok;
  return {.kind = History::Operation::Kind::get,
          .key = key,
          .value = there ? outcome.value : Bytes(),
          .began = now,
          .ended = now,
          .version = there ? outcome.version.version_id : History::absent};
}

struct DirectClients::Client {
  explicit Client(std::uint32_t its_number) : number(its_number), at(its_number) {}
  const std::uint32_t number;
  std::uint64_t asked = 0;
  TimePoint next{};
  std::size_t at;   // the node that it believes
  struct Pending {
    std::unique_ptr<replica::PutRequest> request;
    replica::Ticket ticket;
    const Machine* machine;
    History::Operation operation;
  };
  std::optional<Pending> pending;
};

DirectClients::DirectClients(World& world, std::vector<std::unique_ptr<NodeMachine>>& nodes, History& history, Reads reads)
    : world_(world), nodes_(nodes), history_(history), reads_(reads) {
  for (std::uint32_t number = 0; number < client_count; ++number) clients_.push_back(std::make_unique<Client>(number));
}

DirectClients::~DirectClients() = default;

void DirectClients::work() {
  for (const auto& client : clients_) {
    if (client->pending) hear(*client);
    else if (world_.clock.now() >= client->next) ask(*client);
  }
}

std::optional<DirectClients::Place> DirectClients::find(const Client& client, const std::string& key) const {
  NodeMachine& believed = *nodes_[client.at % nodes_.size()];
  const auto assignments = believed.assignments();
  if (assignments == nullptr) return std::nullopt;
  const auto space = assignments->namespaces.find("default");
  if (space == assignments->namespaces.end()) return std::nullopt;
  const std::uint32_t hash = key_hash(key);
  for (const serve::ShardPlace& place : space->second) {
    if (hash < place.hash_min || hash > place.hash_max) continue;
    if (reads_ == Reads::of_anybody && believed.shard(place.shard) != nullptr)
      return Place{&believed, believed.shard(place.shard)};
    for (const auto& node : nodes_) {
      if (place.leader != node->public_address()) continue;
      replica::Shard* const shard = node->shard(place.shard);
      return shard == nullptr ? std::nullopt : std::optional(Place{node.get(), shard});
    }
  }
  return std::nullopt;
}

void DirectClients::ask(Client& client) {
  std::string key = some_key(world_.random);
  const auto place = find(client, key);
  const bool answers = place && (place->shard->serves() || reads_ == Reads::of_anybody);
  if (!answers) {
    client.at += 1;
    client.next = world_.clock.now() + 5ms;
    return;
  }
  client.next = world_.clock.now() + 1ms + Duration(world_.random.below(20'000'000));
  if (place->shard->serves() && world_.random.chance(0.6)) return put(client, *place, std::move(key));
  get(*place, key);
}

void DirectClients::put(Client& client, const Place& place, std::string key) {
  const std::string value = fmt::format("{}-{}", client.number, ++client.asked);
  auto request = std::make_unique<replica::PutRequest>(key, value + Bytes(world_.random.below(400), '.'));
  History::Operation operation{.kind = History::Operation::Kind::put,
                               .key = std::move(key),
                               .value = Bytes(request->put.value),
                               .began = world_.clock.now(),
                               .ended = TimePoint::max(),
                               .version = std::nullopt};
  replica::Ticket ticket = place.shard->propose(request->request());
  client.pending = Client::Pending{std::move(request), std::move(ticket), place.machine, std::move(operation)};
}

void DirectClients::hear(Client& client) {
  Client::Pending& pending = *client.pending;
  if (!pending.ticket.ready()) {
    if (world_.clock.now() < pending.operation.began + call_patience) return;
    ++figures_.unknown;   // it goes away, as clients do
    history_.add(std::move(pending.operation));
    client.pending.reset();
    client.at += 1;
    return;
  }
  const auto outcome = pending.ticket.take();
  if (outcome) {
    pending.operation.version = outcome->puts.front().version.version_id;
    pending.operation.ended = world_.clock.now();
    history_.add(std::move(pending.operation));
    ++figures_.puts;
  } else if (outcome.error() == make_error_code(replica::ShardError::not_leader) ||
             outcome.error() == make_error_code(Errc::resource_exhausted)) {
    ++figures_.refused;
    client.at += 1;
  } else {
    ++figures_.unknown;
    history_.add(std::move(pending.operation));
    client.at += 1;
  }
  client.pending.reset();
}

void DirectClients::get(const Place& place, const std::string& key) {
  const auto found = place.shard->try_get({.key = key, .index = {}});
  if (!found || !*found) return;
  history_.add(read_of(key, **found, world_.clock.now()));
  ++figures_.gets;
}

void DirectClients::forget(const Machine& machine) {
  for (const auto& client : clients_) {
    if (!client->pending || client->pending->machine != &machine) continue;
    if (client->pending->ticket.ready()) {
      hear(*client);
      continue;
    }
    ++figures_.unknown;
    history_.add(std::move(client->pending->operation));
    client->pending.reset();
  }
}

void DirectClients::rest() {
  for (const auto& client : clients_) {
    client->next = TimePoint::max();
    if (client->pending && client->pending->ticket.ready()) hear(*client);
    if (client->pending) history_.add(std::move(client->pending->operation));
    client->pending.reset();
  }
}

}  // namespace skerry::sim
