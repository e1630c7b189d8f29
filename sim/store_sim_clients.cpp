// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "replica/shard_error.hpp"
#include "sim/note.hpp"

namespace skerry::sim {
namespace {

constexpr BytesView sequence_prefix = "/seq";

// A request over an operation's bytes.
class Request {
 public:
  explicit Request(const Operation& operation) {
    for (const auto& from : operation.puts) {
      store::Put put;
      put.key = from.key;
      put.value = from.value;
      put.expected_version = from.expected;
      put.session = from.session;
      if (from.delta != 0) {
        put.partition_key = sequence_prefix;
        put.sequence_deltas = {&from.delta, 1};
      }
      puts_.push_back(put);
    }
    for (const auto& from : operation.deletes) deletes_.push_back({from.key, from.expected});
    for (const auto& from : operation.ranges) ranges_.push_back({from.start, from.end});
  }
  store::WriteRequest view() const { return {puts_, deletes_, ranges_}; }

 private:
  std::vector<store::Put> puts_;
  std::vector<store::Delete> deletes_;
  std::vector<store::DeleteRange> ranges_;
};

}  // namespace

Task<> StoreSim::client(int number) {
  Core& core = machine_.core();
  Random& random = world_.random;
  const Duration pause = Duration(random.below(20'000'000));
  while (!quiet_) {
    co_await core.sleep_for(Duration(1 + random.below(static_cast<std::uint64_t>(pause.count()) + 1)));
    if (!up() || quiet_ || !machine_.shard()->has_room()) continue;
    const std::uint64_t dice = random.below(100);
    if (dice < 60) {
      co_await write(any_operation(number));
    } else if (dice < 80) {
      get();
    } else if (dice < 88) {
      co_await scan();
    } else if (dice < 94) {
      if (model_.sessions().size() < 6) co_await create_session();
    } else {
      co_await close_session();
    }
  }
}

// A request whose answer a crash took is asked again under its old name, and must not happen twice.
Task<> StoreSim::retry_all() {
  for (Operation& operation : std::exchange(retries_, {})) {
    ++report_.retries;
    co_await write(std::move(operation));
  }
}

Task<> StoreSim::write(Operation operation) {
  auto flight = std::make_shared<Flight>();
  flight->operation = std::move(operation);
  const Request request(flight->operation);
  std::optional<store::RequestId> id;
  if (flight->operation.id) id = {flight->operation.id->client, flight->operation.id->sequence};
  flight->ticket = machine_.shard()->propose(request.view(), id);
  in_flight_.push_back(flight);
  ++report_.operations;
  note("write of ", flight->operation.puts.size(), " puts, entry ", flight->offset().value());
  if (world_.random.chance(0.5)) co_await flight->ticket.wait();   // others go on at once
  advance();
}

Task<> StoreSim::create_session() {
  const std::chrono::milliseconds timeout(2000 + world_.random.below(2000));
  const auto created = co_await machine_.shard()->create_session(timeout, "client");
  advance();
  note("session ", created ? created->value() : -1, " created");
  if (!created) {
    stopped_ = true;
  } else if (!timeouts_.contains(*created) || timeouts_[*created] != timeout) {
    fail_run(fmt::format("session {} was created, but the log has none", created->value()));
  } else if (world_.random.chance(0.5)) {
    kept_alive_.insert(*created);
  }
}

Task<> StoreSim::close_session() {
  advance();
  const auto session = any_session();
  if (!session || !up()) co_return;
  closing_.insert(*session);
  const auto closed = co_await machine_.shard()->close_session(*session);
  advance();
  note("session ", session->value(), closed ? " closed" : " not closed");
  if (!closed) {
    if (closed.error() == make_error_code(replica::ShardError::session_not_found))
      co_return fail_run("a session that lives was not found");
    stopped_ = true;
  } else if (model_.sessions().contains(*session)) {
    fail_run("a closed session lives on");
  }
}

Task<> StoreSim::expiry() {
  for (;;) {
    co_await machine_.core().sleep_for(250ms);
    if (!up()) continue;
    machine_.shard()->expire_sessions();
    machine_.shard()->sweep();
  }
}

Task<> StoreSim::heartbeats() {
  for (;;) {
    co_await machine_.core().sleep_for(Duration(200ms) + Duration(world_.random.below(1'000'000'000)));
    if (!up()) continue;
    advance();
    for (const SessionId session : model_.sessions()) {
      if (!kept_alive_.contains(session)) continue;
      if (machine_.shard()->keep_alive(session)) heard_[session] = machine_.core().now();
    }
    if (world_.random.chance(0.1)) kept_alive_.clear();   // their clients die
  }
}

Task<> StoreSim::checkpoints() {
  for (;;) {
    co_await machine_.core().sleep_for(Duration(world_.random.below(300'000'000)));
    if (!up()) continue;
    const auto done = co_await machine_.engine().checkpoint();
    if (!done) {
      machine_.shard()->stop_writes(done.error());   // as the group would
      stopped_ = true;
      continue;
    }
    note("checkpoint at ", machine_.shard()->durable().value());
    advance();
    Offset needed = std::min(machine_.shard()->durable().next(), last_received_.next());
    if (needed > Offset(0) && !machine_.log().trim(StoreMachine::shard_id, needed)) stopped_ = true;
  }
}

Task<> StoreSim::follow() {
  auto follower = machine_.shard()->follow(last_received_);
  if (!follower) co_return fail_run("following is refused: " + follower.error().message());
  for (;;) {
    const auto batch = co_await (*follower)->next();
    if (!batch) co_return;   // the shard stops, or its log does
    received_.push_back(**batch);
    last_received_ = (*batch)->offset;
    ++report_.notifications;
    note("told of entry ", last_received_.value());
    if (world_.random.chance(0.1)) co_await machine_.core().sleep_for(Duration(world_.random.below(100'000'000)));
  }
}

Bytes StoreSim::any_key() {
  static constexpr BytesView names[] = {"a", "b", "/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/1", "c", "/c"};
  return Bytes(names[world_.random.below(std::size(names))]);
}

std::optional<SessionId> StoreSim::any_session() {
  if (model_.sessions().empty()) return std::nullopt;
  auto at = model_.sessions().begin();
  std::advance(at, static_cast<std::ptrdiff_t>(world_.random.below(model_.sessions().size())));
  return *at;
}

Operation StoreSim::any_operation(int client) {
  Random& random = world_.random;
  const auto expected = [&](const Bytes& key) -> std::optional<VersionId> {
    if (!random.chance(0.3)) return std::nullopt;
    const auto found = model_.records().find(key);
    if (found == model_.records().end() || random.chance(0.3)) return store::must_not_exist;
    return found->second.version;
  };
  Operation operation;
  for (auto count = random.below(3); count > 0; --count) {
    Operation::Put put;
    put.value = fmt::format("value {}{}", next_value_++, Bytes(random.chance(0.1) ? random.below(3000) : 0, '.'));
    if (random.chance(0.15)) {
      put.key = sequence_prefix;
      put.delta = 1 + random.below(3);
    } else {
      put.key = any_key();
      put.expected = expected(put.key);
    }
    if (random.chance(0.3)) put.session = random.chance(0.1) ? SessionId(77) : any_session();
    operation.puts.push_back(std::move(put));
  }
  if (random.chance(0.3)) {
    const Bytes key = any_key();
    operation.deletes.push_back({key, expected(key)});
  }
  if (random.chance(0.05)) operation.ranges.push_back({any_key(), any_key()});
  if (random.chance(0.4)) operation.id = {fmt::format("client-{}", client), next_request_[client]++};
  return operation;
}

}  // namespace skerry::sim
