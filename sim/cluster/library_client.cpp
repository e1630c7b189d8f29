// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/library_client.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "sim/cluster/direct_clients.hpp"

namespace skerry::sim {
namespace {

constexpr std::uint64_t worker_count = 3;
constexpr std::uint64_t ephemeral_key_count = 6;
constexpr Duration request_patience = 3s;
constexpr Duration session_timeout = 2s;
// A session that has ended is known of after its next heartbeat, a third of its timeout later, and some tries.
constexpr Duration told_within = 5s;

}  // namespace

LibraryClient::LibraryClient(Parts parts) : Machine(parts.world, parts.fabric, parts.log, "program"), parts_(std::move(parts)) {}

Task<Result<>> LibraryClient::open() {
  client::ClientOptions options;
  options.addresses = parts_.servers;
  options.session_timeout = session_timeout;
  options.request_timeout = request_patience;
  options.on_session_lost = [this](ShardId shard) { on_session_lost(shard); };
  CO_TRY(client_, client::Client::make(core(), network(), std::move(options)));
  client_->start();
  for (std::uint64_t number = 0; number < worker_count; ++number) tasks().spawn(work(number));
  tasks().spawn(follow());
  workers_ = worker_count;
  keeps_sessions_ = core().random().chance(0.5);
  co_return Result<>{};
}

void LibraryClient::drop() { client_.reset(); }

void LibraryClient::fail(std::string why) {
  if (violation_.empty()) violation_ = std::move(why);
}

std::string LibraryClient::violation() const { return violation_; }

// --- what it asks

void LibraryClient::rest() { resting_ = true; }

// Each worker has its own keys to put: two puts of one key that go together would be told as one change.
std::uint64_t LibraryClient::mine(std::uint64_t worker, std::uint64_t keys) {
  return worker + worker_count * core().random().below(keys / worker_count);
}

Task<> LibraryClient::work(std::uint64_t number) {
  while (!resting_) {
    co_await core().sleep_for(5ms + Duration(core().random().below(60'000'000)));
    const auto kind = core().random().below(10);
    if (kind < 4) {
      co_await put(fmt::format("key{}", mine(number, key_count)), fmt::format("program-{}", ++asked_));
    } else if (kind < 8 || !keeps_sessions_) {
      co_await get(some_key(core().random()));
    } else {
      co_await put_ephemeral(fmt::format("ephemeral{}", mine(number, ephemeral_key_count)));
    }
  }
  --workers_;
}

Task<> LibraryClient::put(std::string key, std::string value) {
  History::Operation operation{.kind = History::Operation::Kind::put,
                               .key = key,
                               .value = value,
                               .began = now(),
                               .ended = TimePoint::max(),
                               .version = std::nullopt};
  const auto done = co_await client_->put(std::move(key), std::move(value));
  if (done) {
    operation.version = done->version.version_id;
    operation.ended = now();
  }
  ++(done ? figures_.puts : figures_.unknown);
  parts_.history.add(std::move(operation));
}

Task<> LibraryClient::get(std::string key) {
  const TimePoint began = now();
  const auto found = co_await client_->get(key);
  const bool absent = !found && found.error() == client::ClientErrc::key_not_found;
  if (!found && !absent) co_return;
  ++figures_.gets;
  parts_.history.add({.kind = History::Operation::Kind::get,
                      .key = std::move(key),
                      .value = found ? found->value : std::string(),
                      .began = began,
                      .ended = now(),
                      .version = found ? found->version.version_id : History::absent});
}

// --- its sessions

Task<> LibraryClient::put_ephemeral(std::string key) {
  const std::uint64_t lost_before = figures_.sessions_lost;
  Ephemeral& record = ephemerals_[key];
  record.sure = false;
  const auto done = co_await client_->put(key, "here", {.ephemeral = client::Ephemeral::yes});
  if (!done) co_return;
  ++figures_.ephemerals;
  if (!done->version.session) fail(fmt::format("{}: the ephemeral record has no session", key));
  record = {done->version.version_id, figures_.sessions_lost == lost_before};
}

void LibraryClient::on_session_lost(ShardId shard) {
  if (parts_.deaf == Deaf::to_lost_sessions) return;
  ++figures_.sessions_lost;
  const control::HashRange hashes = parts_.hashes_of(shard);
  for (auto& [key, record] : ephemerals_) {
    const std::uint32_t hash = key_hash(key);
    if (hashes.min <= hash && hash <= hashes.max) record.sure = false;
  }
}

std::vector<std::string> LibraryClient::ephemeral_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, record] : ephemerals_) keys.push_back(key);
  return keys;
}

void LibraryClient::finish() { tasks().spawn(end_well()); }

Task<> LibraryClient::end_well() {
  for (const auto& [key, record] : ephemerals_) co_await see(key);
  stopping_ = true;
  co_await client_->stop();
  finished_ = true;
}

// A record whose session lasts is there. One that is not had a session that has ended, of which it is told.
Task<> LibraryClient::see(std::string key) {
  const Ephemeral& record = ephemerals_.at(key);
  const Deadline told_by = now() + told_within;
  while (record.sure) {
    const auto seen = co_await client_->get(key);
    if (seen && seen->version.version_id == record.version) co_return;
    if (record.sure && now() >= told_by) {
      co_return fail(fmt::format("{}: its session lasts, and of version {} {}", key, record.version.value(),
                                 seen ? fmt::format("came {}", seen->version.version_id.value()) : seen.error().message()));
    }
    co_await core().sleep_for(100ms);
  }
}

// --- what it follows

Task<> LibraryClient::follow() {
  for (;;) {
    auto follower = co_await client_->follow_changes();
    if (!follower) continue;   // no server could be reached in time
    follows_since_ = now();
    co_return co_await follow_from_now(**follower);
  }
}

bool LibraryClient::hears() { return parts_.deaf != Deaf::to_some_changes || !core().random().chance(0.01); }

Task<> LibraryClient::follow_from_now(client::ChangeFollower& follower) {
  for (;;) {
    const auto change = co_await follower.next();
    if (!change && stopping_) co_return;
    if (!change) co_return fail("changes can't be followed any more: " + change.error().message());
    if (change->kind == client::ChangeKind::gap) {
      changes_.missed(parts_.hashes_of(change->shard));
    } else if (change->version_id && !change->key.starts_with("ephemeral") && hears()) {
      changes_.changed(change->key, *change->version_id);
    }
  }
}

}  // namespace skerry::sim
