// SPDX-License-Identifier: Apache-2.0
#include "client/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "client/alarm.hpp"
#include "client/check.hpp"
#include "oxia/client.pb.h"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;

namespace {

constexpr auto unreachable_after = 1s;   // then the user is told that nobody answers
constexpr auto doubts_last = 1s;   // longer than elections mostly do
constexpr std::size_t rounds_in_vain_max = 3;   // over all servers; then older assignments are taken, as of a cluster made anew

// Knows of the call while it is open.
class OpenAssignments {
 public:
  OpenAssignments(rpc::ClientCall*& place, rpc::ClientCall& call) : place_(place) { place_ = &call; }
  OpenAssignments(const OpenAssignments&) = delete;
  OpenAssignments& operator=(const OpenAssignments&) = delete;
  ~OpenAssignments() { place_ = nullptr; }

 private:
  rpc::ClientCall*& place_;
};

std::string random_bytes(Random& random) {
  Bytes bytes;
  for (int i = 0; i < 2; ++i) append_little_endian(bytes, random.next());
  return bytes;
}

}   // namespace

std::string method(std::string_view name) { return fmt::format("/io.oxia.proto.v1.OxiaClient/{}", name); }
std::string v1_method(std::string_view name) { return fmt::format("/skerry.store.v1.Store/{}", name); }

Cluster::Cluster(Core& core, net::Network& network, const ClientOptions& options, TokenSource token)
    : core_(core), network_(network), options_(options), token_(std::move(token)), request_client_(random_bytes(core.random())),
      changed_(core) {}

void Cluster::notify() {
  ++revision_;
  changed_.notify_all();
}

Result<rpc::Channel*> Cluster::channel(const std::string& address) {
  const auto known = channels_.find(address);
  if (known != channels_.end()) return known->second.get();
  // A leader may be named with the scheme; whether there is TLS is one decision for the whole cluster.
  const bool secure = address.starts_with(tls_scheme);
  if (secure && !options_.tls) {
    return fail(Errc::invalid_argument, fmt::format("{} is to be reached with TLS, and this client was told to connect without: "
                                                    "begin its addresses with tls://",
                                                    address));
  }
  const std::string plain = secure ? address.substr(tls_scheme.size()) : address;
  TRY(net::Address parsed, net::Address::parse(plain));
  rpc::ChannelOptions channel_options;
  // As often as servers of this protocol allow: how soon a silent server is noticed hangs on it.
  channel_options.keepalive_interval = 6s;
  channel_options.connect_timeout = 2s;
  channel_options.backoff_max = options_.retry_pause_max;
  channel_options.authority = plain;
  auto made = rpc::Channel::make(core_, network_, std::move(parsed), std::move(channel_options));
  return channels_.emplace(address, std::move(made)).first->second.get();
}

rpc::CallOptions Cluster::call_options(Deadline deadline) {
  rpc::CallOptions call{deadline, {}};
  if (const std::string& token = token_.current(core_.now()); !token.empty())
    call.metadata.add("authorization", "Bearer " + token);
  return call;
}

std::vector<std::string> Cluster::candidates() const {
  std::vector<std::string> all = options_.addresses;
  if (!map_) return all;
  for (const ShardMap::Shard& shard : map_->shards()) {
    if (!shard.leader.empty() && std::ranges::find(all, shard.leader) == all.end()) all.push_back(shard.leader);
  }
  return all;
}

Task<> Cluster::follow() {
  Backoff backoff(options_.retry_pause_min, options_.retry_pause_max);
  const TimePoint patience_ends = core_.now() + unreachable_after;
  bool told = !options_.on_unreachable;
  for (std::size_t turn = 0;; ++turn) {
    const std::vector<std::string> all = candidates();
    const bool learned = co_await follow_one(all[turn % all.size()]);
    turns_in_vain_ = learned ? 0 : turns_in_vain_ + 1;
    if (learned) backoff.reset();
    told = told || map_.has_value();
    if (!told && core_.now() >= patience_ends) {
      told = true;
      options_.on_unreachable(trouble_);
    }
    // One round over all servers goes without a pause: the next may well be alive.
    if ((turn + 1) % all.size() == 0) co_await core_.sleep_for(backoff.next(core_.random()));
  }
}

// Returns whether anything was learned.
Task<bool> Cluster::follow_one(std::string address) {
  const auto found = channel(address);
  if (!found) {
    note_failure(address, judge(found.error()));
    co_return false;
  }
  auto opened = co_await (*found)->open(method("GetShardAssignments"), call_options(no_deadline));
  if (!opened) {
    note_failure(address, judge(opened.error()));
    co_return false;
  }
  rpc::ClientCall& call = **opened;
  const OpenAssignments open(doubt_.call, call);
  doubt_.gave_up = false;
  doubt_.address = address;
  pb::ShardAssignmentsRequest request;
  request.set_namespace_(options_.name_space);
  if (co_await call.write(request)) static_cast<void>(co_await call.finish_writing());
  bool learned = false;
  pb::ShardAssignments message;
  for (;;) {
    const auto more = co_await call.read(message);
    if (!more || !*more) break;
    const auto taken = take(message);
    if (!taken) note_failure(address, judge(taken.error()));
    if (!taken || !*taken) co_return learned;
    learned = true;
  }
  if (doubt_.gave_up) co_return learned;
  note_failure(address, judge(co_await call.finish()));
  co_return learned;
}

Result<bool> Cluster::take(const pb::ShardAssignments& message) {
  const auto found = message.namespaces().find(options_.name_space);
  if (found == message.namespaces().end()) {
    return fail(ClientErrc::namespace_not_found, "the server sends no assignments for namespace " + options_.name_space);
  }
  TRY(ShardMap map, ShardMap::from(found->second));
  if (map_ && map.is_older_than(*map_) && turns_in_vain_ < rounds_in_vain_max * candidates().size()) return false;
  map_ = std::move(map);
  doubt_.cancel();
  refused_.reset();
  trouble_.clear();
  notify();
  return true;
}

void Cluster::doubt() {
  if (!doubt_.armed()) core_.timers().arm(doubt_, core_.now() + doubts_last);
}

void Cluster::note_failure(const std::string& address, const Verdict& verdict) {
  trouble_ = fmt::format("{}: {}", address, verdict.error.message());
  if (verdict.error == ClientErrc::namespace_not_found) map_.reset();
  if (verdict.action == Verdict::Action::give_up) {
    refused_ = Error{verdict.error.code, verdict.error == ClientErrc::namespace_not_found
                                             ? fmt::format("namespace not found: {}", options_.name_space)
                                             : trouble_};
  }
  changed_.notify_all();   // who waits for a map looks at refused_; it is no change of the map
}

Error Cluster::unreachable(std::string_view what) const {
  return {Errc::deadline_exceeded,
          trouble_.empty() ? fmt::format("{} in time", what) : fmt::format("{} in time; last trouble: {}", what, trouble_)};
}

Task<Result<ShardId>> Cluster::route(std::uint32_t hash, Deadline deadline) {
  for (;;) {
    if (map_) {
      if (const ShardMap::Shard* shard = map_->route(hash)) co_return shard->id;
      doubt();
    } else if (refused_) {
      co_return fail(*refused_);
    }
    if (core_.now() >= deadline) co_return fail(unreachable("no server told where the shards are"));
    const Alarm alarm(core_, changed_, deadline);
    co_await changed_.wait();
  }
}

std::optional<ShardId> Cluster::route_now(std::uint32_t hash) const {
  const ShardMap::Shard* shard = map_ ? map_->route(hash) : nullptr;
  return shard == nullptr ? std::nullopt : std::optional(shard->id);
}

Task<Result<std::vector<ShardId>>> Cluster::all_shards(Deadline deadline) {
  for (;;) {
    if (map_ && map_->covers_all_hashes()) co_return shards();
    if (!map_ && refused_) co_return fail(*refused_);
    if (core_.now() >= deadline) {
      co_return fail(
          unreachable(map_ ? "some keys have no shard, and none was assigned" : "no server told where the shards are"));
    }
    const Alarm alarm(core_, changed_, deadline);
    co_await changed_.wait();
  }
}

Task<Result<rpc::Channel*>> Cluster::leader(ShardId shard, Deadline deadline) {
  for (;;) {
    if (!map_ && refused_) co_return fail(*refused_);
    if (map_) {
      const ShardMap::Shard* found = map_->find(shard);
      if (found == nullptr) co_return fail(ClientErrc::shard_moved);
      if (!found->leader.empty()) co_return channel(found->leader);
      doubt();
    }
    if (core_.now() >= deadline) co_return fail(unreachable(fmt::format("shard {} got no leader", shard.value())));
    const Alarm alarm(core_, changed_, deadline);
    co_await changed_.wait();
  }
}

std::string Cluster::leader_address(ShardId shard) const {
  const ShardMap::Shard* found = map_ ? map_->find(shard) : nullptr;
  return found == nullptr ? std::string() : found->leader;
}

std::vector<ShardId> Cluster::shards() const {
  std::vector<ShardId> ids;
  if (!map_) return ids;
  for (const ShardMap::Shard& shard : map_->shards()) ids.push_back(shard.id);
  return ids;
}

std::vector<ShardMap::Shard> Cluster::shard_ranges() const {
  if (!map_) return {};
  return {map_->shards().begin(), map_->shards().end()};
}

void Cluster::learn(const Verdict& verdict) {
  if (verdict.shard && map_ && map_->set_leader(*verdict.shard, verdict.leader)) return notify();
  doubt();
}

// A server may have two names, so what comes from another address is doubted as well.
void Cluster::unanswered(const std::string& address) {
  if (candidates().size() == 1) return;
  doubt_.address == address ? doubt_.give_up() : doubt();
}

Task<> Cluster::pause(Duration length, Deadline deadline) {
  const TimePoint until = std::min(core_.now() + length, deadline);
  const std::uint64_t before = revision_;
  while (core_.now() < until && revision_ == before) {
    const Alarm alarm(core_, changed_, until);
    co_await changed_.wait();
  }
}

Task<> Cluster::stop() {
  for (auto& [address, channel] : channels_) co_await channel->stop();
  channels_.clear();
}

}   // namespace skerry::client
