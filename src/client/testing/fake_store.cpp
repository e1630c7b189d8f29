// SPDX-License-Identifier: Apache-2.0
#include "client/testing/fake_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "rpc/methods.hpp"
#include "store/layout.hpp"

namespace skerry::client::testing {

struct FakeStore::Host {
  Host(Core& core, net::testing::MemoryFabric& fabric, const std::string& host_name)
      : name(host_name), network(core, fabric, host_name) {}
  std::string name;
  net::testing::MemoryNetwork network;
  rpc::Methods methods;
  std::unique_ptr<rpc::Server> server;
};

namespace {

constexpr auto order = KeyOrder::hierarchical;

std::string encoded(const std::string& key) { return store::encode_key(order, key); }

}  // namespace

FakeStore::FakeStore(Core& core, net::testing::MemoryFabric& fabric) : core_(core), fabric_(fabric), changed_(core) {}
FakeStore::~FakeStore() = default;

void FakeStore::add_server(const std::string& host) {
  auto made = std::make_unique<Host>(core_, fabric_, host);
  register_methods(*made);
  made->server = rpc::Server::make(core_, made->network, made->methods, {});
  SKERRY_ASSERT(made->server->start({host, 6648}));
  hosts_[host] = std::move(made);
}

void FakeStore::add_shard(ShardId id, std::uint32_t hash_min, std::uint32_t hash_max, const std::string& host) {
  Shard& made = shards_[id];
  made.hash_min = hash_min;
  made.hash_max = hash_max;
  lead(id, host);
}

void FakeStore::add_even_shards(int count, const std::vector<std::string>& hosts) {
  const std::uint64_t bucket = 0xFFFFFFFFU / static_cast<std::uint64_t>(count) + 1;
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    const auto max = i + 1 == count ? 0xFFFFFFFFU : static_cast<std::uint32_t>((at + 1) * bucket - 1);
    add_shard(ShardId{i}, static_cast<std::uint32_t>(at * bucket), max, hosts[at % hosts.size()]);
  }
}

void FakeStore::lead(ShardId id, const std::string& host) {
  shards_[id].leader = host;
  changed_.notify_all();
}

void FakeStore::split(ShardId parent, ShardId left, ShardId right) {
  const Shard old = shards_.at(parent);
  const std::uint32_t middle = old.hash_min + (old.hash_max - old.hash_min) / 2;
  shards_.erase(parent);
  for (const auto& [id, min, max] : {std::tuple(left, old.hash_min, middle), std::tuple(right, middle + 1, old.hash_max)}) {
    Shard child = old;
    child.hash_min = min;
    child.hash_max = max;
    std::erase_if(child.records, [&](const auto& each) {
      const std::uint32_t hash = key_hash(each.second.key);
      return hash < min || hash > max;
    });
    for (pb::NotificationBatch& batch : child.changes) {
      auto& entries = *batch.mutable_notifications();
      entries.erase(std::remove_if(entries.begin(), entries.end(),
                                   [&](const auto& each) {
                                     const std::uint32_t hash = key_hash(each.key());
                                     return hash < min || hash > max;
                                   }),
                    entries.end());
    }
    shards_[id] = std::move(child);
  }
  changed_.notify_all();
}

void FakeStore::merge(ShardId left, ShardId right, ShardId into) {
  Shard merged = shards_.at(left);
  const Shard& other = shards_.at(right);
  merged.hash_max = other.hash_max;
  merged.records.insert(other.records.begin(), other.records.end());
  merged.sessions.insert(other.sessions.begin(), other.sessions.end());
  merged.next_version = std::max(merged.next_version, other.next_version);
  merged.next_offset = std::max(merged.next_offset, other.next_offset);
  merged.changes.clear();
  shards_.erase(left);
  shards_.erase(right);
  shards_[into] = std::move(merged);
  changed_.notify_all();
}

void FakeStore::leave(const std::string& host) { left_[host] = assignments("default"); }

void FakeStore::expire_sessions(ShardId id) {
  Shard& found = shard(id);
  std::erase_if(found.records, [](const auto& each) { return each.second.version.has_session_id(); });
  found.sessions.clear();
}

Task<> FakeStore::stop() {
  for (auto& [name, host] : hosts_) co_await host->server->stop(core_.now());
}

std::vector<std::string> FakeStore::keys(ShardId id) {
  std::vector<std::string> all;
  for (const auto& [place, record] : shard(id).records) all.push_back(record.key);
  return all;
}

rpc::Status FakeStore::refusal(rpc::Code code, std::string reason, std::map<std::string, std::string> metadata) {
  const std::string message = "oxia: " + reason;
  return rpc::Status::with_info(code, message, {"oxia.io", std::move(reason), std::move(metadata)});
}

std::optional<rpc::Status> FakeStore::refuse(const Host& host, ShardId id) {
  const auto found = shards_.find(id);
  if (found == shards_.end()) return refusal(rpc::Code::not_found, "SHARD_NOT_FOUND");
  if (found->second.leader == host.name) return std::nullopt;
  std::map<std::string, std::string> hint;
  if (!found->second.leader.empty()) hint = {{"shard", std::to_string(id.value())}, {"leader", found->second.leader + ":6648"}};
  return refusal(rpc::Code::aborted, "NODE_IS_NOT_LEADER", std::move(hint));
}

void FakeStore::register_methods(Host& host) {
  const std::string prefix = "/io.oxia.proto.v1.OxiaClient/";
  rpc::Methods& methods = host.methods;
  using Call = rpc::ServerCall;
  methods.server_stream<pb::ShardAssignmentsRequest, pb::ShardAssignments>(
      prefix + "GetShardAssignments", [this, &host](Call& call, const auto& request, auto& replies) {
        last_authorization = call.metadata().find("authorization").value_or("");
        return tell_assignments(host, request, replies);
      });
  methods.bidirectional<pb::WriteRequest, pb::WriteResponse>(
      prefix + "WriteStream",
      [this, &host](Call& call, auto& requests, auto& replies) { return write_stream(host, call, requests, replies); });
  methods.bidirectional<store::v1::WriteRequest, pb::WriteResponse>(
      "/skerry.store.v1.Store/WriteStream",
      [this, &host](Call& call, auto& requests, auto& replies) { return write_stream_v1(host, call, requests, replies); });
  methods.server_stream<pb::ReadRequest, pb::ReadResponse>(
      prefix + "Read", [this, &host](Call&, const auto& request, auto& replies) { return read(host, request, replies); });
  methods.server_stream<pb::ListRequest, pb::ListResponse>(
      prefix + "List", [this, &host](Call&, const auto& request, auto& replies) { return list(host, request, replies); });
  methods.server_stream<pb::RangeScanRequest, pb::RangeScanResponse>(
      prefix + "RangeScan", [this, &host](Call&, const auto& request, auto& replies) { return scan(host, request, replies); });
  methods.server_stream<pb::NotificationsRequest, pb::NotificationBatch>(
      prefix + "GetNotifications",
      [this, &host](Call&, const auto& request, auto& replies) { return notifications(host, request, replies); });
  methods.server_stream<pb::GetSequenceUpdatesRequest, pb::GetSequenceUpdatesResponse>(
      prefix + "GetSequenceUpdates",
      [this, &host](Call&, const auto& request, auto& replies) { return sequence(host, request, replies); });
  methods.unary<pb::CreateSessionRequest, pb::CreateSessionResponse>(
      prefix + "CreateSession",
      [this, &host](Call&, const auto& request, auto& reply) { return create_session(host, request, reply); });
  methods.unary<pb::SessionHeartbeat, pb::KeepAliveResponse>(
      prefix + "KeepAlive", [this, &host](Call&, const auto& request, auto&) { return keep_alive(host, request); });
  methods.unary<pb::CloseSessionRequest, pb::CloseSessionResponse>(
      prefix + "CloseSession", [this, &host](Call&, const auto& request, auto&) { return close_session(host, request); });
}

pb::ShardAssignments FakeStore::assignments(const std::string& name_space) const {
  pb::ShardAssignments message;
  pb::NamespaceShardsAssignment& all = (*message.mutable_namespaces())[name_space];
  all.set_shard_key_router(pb::XXHASH3);
  for (const auto& [id, shard] : shards_) {
    pb::ShardAssignment& one = *all.add_assignments();
    one.set_shard(id.value());
    if (!shard.leader.empty()) one.set_leader(shard.leader + ":6648");
    one.mutable_int32_hash_range()->set_min_hash_inclusive(shard.hash_min);
    one.mutable_int32_hash_range()->set_max_hash_inclusive(shard.hash_max);
  }
  return message;
}

Task<rpc::Status> FakeStore::tell_assignments(Host& host, const pb::ShardAssignmentsRequest& request,
                                              rpc::Replies<pb::ShardAssignments>& replies) {
  if (refuse_namespace) co_return refusal(rpc::Code::not_found, "NAMESPACE_NOT_FOUND");
  for (;;) {
    const auto left = left_.find(host.name);
    if (!co_await replies.write(left == left_.end() ? assignments(request.namespace_()) : left->second)) co_return rpc::Status();
    co_await changed_.wait();
  }
}

// --- writes

Task<rpc::Status> FakeStore::write_stream(Host& host, rpc::ServerCall& call, rpc::Requests<pb::WriteRequest>& requests,
                                          rpc::Replies<pb::WriteResponse>& replies) {
  const auto header = call.metadata().find("shard-id");
  if (!header || !call.metadata().find("namespace")) co_return rpc::Status{rpc::Code::unknown, "headers are missing", {}};
  const ShardId id{std::stoll(std::string(*header))};
  pb::WriteRequest request;
  for (;;) {
    const auto more = co_await requests.next(request);
    if (!more || !*more) co_return rpc::Status();
    if (auto refused = refuse(host, id)) co_return *refused;
    if (before_write) {
      if (auto status = before_write(id, request)) co_return *status;
    }
    write_batches.push_back(
        static_cast<std::size_t>(request.puts_size() + request.deletes_size() + request.delete_ranges_size()));
    const pb::WriteResponse response = apply(id, request);
    changed_.notify_all();
    if (after_write) {
      if (auto status = after_write(id, request)) co_return *status;
    }
    if (!co_await replies.write(response)) co_return rpc::Status();
  }
}

// What is known by its id is answered, and not done again.
Task<rpc::Status> FakeStore::write_stream_v1(Host& host, rpc::ServerCall& call, rpc::Requests<store::v1::WriteRequest>& requests,
                                             rpc::Replies<pb::WriteResponse>& replies) {
  if (!offers_v1) co_return rpc::Status{rpc::Code::unimplemented, "no such method", {}};
  const ShardId id{std::stoll(std::string(*call.metadata().find("shard-id")))};
  store::v1::WriteRequest request;
  for (;;) {
    const auto more = co_await requests.next(request);
    if (!more || !*more) co_return rpc::Status();
    if (auto refused = refuse(host, id)) co_return *refused;
    pb::WriteRequest plain;
    plain.ParseFromString(request.SerializeAsString());   // the same fields under the same numbers
    const std::string name = request.request_id().SerializeAsString();
    if (!remembered_.contains(name)) {
      if (before_write) {
        if (auto status = before_write(id, plain)) co_return *status;
      }
      write_batches.push_back(static_cast<std::size_t>(plain.puts_size() + plain.deletes_size() + plain.delete_ranges_size()));
      remembered_[name] = apply(id, plain);
      changed_.notify_all();
      if (after_write) {
        if (auto status = after_write(id, plain)) co_return *status;
      }
    }
    if (!co_await replies.write(remembered_[name])) co_return rpc::Status();
  }
}

pb::WriteResponse FakeStore::apply(ShardId id, const pb::WriteRequest& request) {
  Shard& target = shard(id);
  pb::WriteResponse response;
  pb::NotificationBatch changes;
  changes.set_shard(id.value());
  changes.set_offset(target.next_offset++);
  for (const pb::PutRequest& put : request.puts()) *response.add_puts() = apply_put(target, put, changes);
  for (const pb::DeleteRequest& one : request.deletes()) {
    const auto found = target.records.find(encoded(one.key()));
    const bool wrong = one.has_expected_version_id() &&
                       (found == target.records.end() || found->second.version.version_id() != one.expected_version_id());
    const bool missing = found == target.records.end();
    response.add_deletes()->set_status(wrong ? pb::UNEXPECTED_VERSION_ID : missing ? pb::KEY_NOT_FOUND : pb::OK);
    if (wrong || missing) continue;
    target.records.erase(found);
    pb::NotificationEntry& entry = *changes.add_notifications();
    entry.set_key(one.key());
    entry.mutable_value()->set_type(pb::KEY_DELETED);
  }
  for (const pb::DeleteRangeRequest& range : request.delete_ranges()) {
    std::erase_if(target.records, [&](const auto& each) {
      return each.first >= encoded(range.start_inclusive()) && each.first < encoded(range.end_exclusive());
    });
    response.add_delete_ranges();
  }
  target.changes.push_back(std::move(changes));
  return response;
}

pb::PutResponse FakeStore::apply_put(Shard& target, const pb::PutRequest& put, pb::NotificationBatch& changes) {
  pb::PutResponse response;
  if (put.has_session_id() && !target.sessions.contains(put.session_id())) {
    response.set_status(pb::SESSION_DOES_NOT_EXIST);
    return response;
  }
  std::string key = put.key();
  if (put.sequence_key_delta_size() > 0) {
    std::uint64_t last = 0;
    for (const auto& [place, record] : target.records) {
      if (record.key.starts_with(key + "-")) last = std::max<std::uint64_t>(last, std::stoull(record.key.substr(key.size() + 1)));
    }
    key = fmt::format("{}-{:020d}", key, last + put.sequence_key_delta(0));
    response.set_key(key);
  }
  const auto found = target.records.find(encoded(key));
  const bool exists = found != target.records.end();
  if (put.has_expected_version_id() && put.expected_version_id() != (exists ? found->second.version.version_id() : -1)) {
    response.set_status(pb::UNEXPECTED_VERSION_ID);
    return response;
  }
  pb::Version version;
  version.set_version_id(target.next_version++);
  version.set_modifications_count(exists ? found->second.version.modifications_count() + 1 : 0);
  if (put.has_session_id()) version.set_session_id(put.session_id());
  if (put.has_client_identity()) version.set_client_identity(put.client_identity());
  Stored stored{key, put.value(), version, {}};
  for (const auto& index : put.secondary_indexes()) stored.indexes.emplace_back(index.index_name(), index.secondary_key());
  target.records[encoded(key)] = std::move(stored);
  *response.mutable_version() = version;
  pb::NotificationEntry& entry = *changes.add_notifications();
  entry.set_key(key);
  entry.mutable_value()->set_type(exists ? pb::KEY_MODIFIED : pb::KEY_CREATED);
  entry.mutable_value()->set_version_id(version.version_id());
  return response;
}

// --- reads

Task<rpc::Status> FakeStore::read(Host& host, const pb::ReadRequest& request, rpc::Replies<pb::ReadResponse>& replies) {
  const ShardId id{request.shard()};
  if (auto refused = refuse(host, id)) co_return *refused;
  if (before_read) {
    if (auto status = before_read(request)) co_return *status;
  }
  read_batches.push_back(static_cast<std::size_t>(request.gets_size()));
  pb::ReadResponse response;
  for (const pb::GetRequest& get : request.gets()) *response.add_gets() = look_up(shard(id), get);
  static_cast<void>(co_await replies.write(response));
  co_return rpc::Status();
}

pb::GetResponse FakeStore::look_up(Shard& target, const pb::GetRequest& get) {
  const auto& records = target.records;
  auto found = records.end();
  const auto at_or_above = records.lower_bound(encoded(get.key()));
  const auto above = records.upper_bound(encoded(get.key()));
  switch (get.comparison_type()) {
    case pb::FLOOR: found = above == records.begin() ? records.end() : std::prev(above); break;
    case pb::LOWER: found = at_or_above == records.begin() ? records.end() : std::prev(at_or_above); break;
    case pb::CEILING: found = at_or_above; break;
    case pb::HIGHER: found = above; break;
    default: found = records.find(encoded(get.key()));
  }
  pb::GetResponse response;
  if (found == records.end()) {
    response.set_status(pb::KEY_NOT_FOUND);
    return response;
  }
  *response.mutable_version() = found->second.version;
  if (get.include_value()) response.set_value(found->second.value);
  if (get.comparison_type() != pb::EQUAL) response.set_key(found->second.key);
  return response;
}

std::vector<const FakeStore::Stored*> FakeStore::in_range(const Shard& target, const std::string& start, const std::string& end,
                                                          const std::string& index) {
  std::map<std::string, const Stored*> found;
  for (const auto& [place, record] : target.records) {
    if (index.empty()) {
      if ((start.empty() || place >= encoded(start)) && (end.empty() || place < encoded(end))) found[place] = &record;
      continue;
    }
    for (const auto& [name, secondary] : record.indexes) {
      const bool inside =
          (start.empty() || encoded(secondary) >= encoded(start)) && (end.empty() || encoded(secondary) < encoded(end));
      if (name == index && inside) found[store::index_entry_key(order, name, secondary, record.key)] = &record;
    }
  }
  std::vector<const Stored*> all;
  for (const auto& [place, record] : found) all.push_back(record);
  return all;
}

Task<rpc::Status> FakeStore::list(Host& host, const pb::ListRequest& request, rpc::Replies<pb::ListResponse>& replies) {
  const ShardId id{request.shard()};
  if (auto refused = refuse(host, id)) co_return *refused;
  ++scans_opened;
  std::vector<std::string> keys;
  for (const Stored* record :
       in_range(shard(id), request.start_inclusive(), request.end_exclusive(), request.secondary_index_name())) {
    keys.push_back(record->key);
  }
  for (std::size_t i = 0; i < keys.size(); i += 2) {   // many small messages
    pb::ListResponse response;
    for (std::size_t k = i; k < std::min(i + 2, keys.size()); ++k) response.add_keys(keys[k]);
    if (!co_await replies.write(response)) co_return rpc::Status();
    co_await core_.sleep_for(1ms);
  }
  co_return rpc::Status();
}

Task<rpc::Status> FakeStore::scan(Host& host, const pb::RangeScanRequest& request, rpc::Replies<pb::RangeScanResponse>& replies) {
  const ShardId id{request.shard()};
  if (auto refused = refuse(host, id)) co_return *refused;
  ++scans_opened;
  const std::string& index = request.secondary_index_name();
  pb::RangeScanResponse response;
  for (const Stored* record : in_range(shard(id), request.start_inclusive(), request.end_exclusive(), index)) {
    pb::GetResponse& one = *response.add_records();
    one.set_key(record->key);
    one.set_value(record->value);
    *one.mutable_version() = record->version;
    for (const auto& [name, secondary] : record->indexes) {
      if (name == index) one.set_secondary_index_key(secondary);
    }
  }
  static_cast<void>(co_await replies.write(response));
  co_return rpc::Status();
}

// --- followers and sessions

Task<rpc::Status> FakeStore::notifications(Host& host, const pb::NotificationsRequest& request,
                                           rpc::Replies<pb::NotificationBatch>& replies) {
  const ShardId id{request.shard()};
  if (auto refused = refuse(host, id)) co_return *refused;
  ++follows_opened;
  std::int64_t next = request.start_offset_exclusive() + 1;
  if (!request.has_start_offset_exclusive()) {
    next = shard(id).next_offset;
    pb::NotificationBatch now;
    now.set_shard(id.value());
    now.set_offset(next - 1);
    if (!co_await replies.write(now)) co_return rpc::Status();
  }
  for (;;) {
    if (auto refused = refuse(host, id)) co_return *refused;
    const std::vector<pb::NotificationBatch> changes = shard(id).changes;
    for (const pb::NotificationBatch& batch : changes) {
      if (batch.offset() < next) continue;
      if (!co_await replies.write(batch)) co_return rpc::Status();
      next = batch.offset() + 1;
    }
    co_await changed_.wait();
  }
}

Task<rpc::Status> FakeStore::sequence(Host& host, const pb::GetSequenceUpdatesRequest& request,
                                      rpc::Replies<pb::GetSequenceUpdatesResponse>& replies) {
  const ShardId id{request.shard()};
  std::string told;
  for (;;) {
    if (auto refused = refuse(host, id)) co_return *refused;
    std::string highest;
    for (const auto& [place, record] : shard(id).records) {
      if (record.key.starts_with(request.key() + "-")) highest = record.key;
    }
    if (highest != told) {
      told = highest;
      pb::GetSequenceUpdatesResponse response;
      response.set_highest_sequence_key(highest);
      if (!co_await replies.write(response)) co_return rpc::Status();
    }
    co_await changed_.wait();
  }
}

Task<rpc::Status> FakeStore::create_session(Host& host, const pb::CreateSessionRequest& request,
                                            pb::CreateSessionResponse& reply) {
  const ShardId id{request.shard()};
  if (before_session) before_session(id);
  if (auto refused = refuse(host, id)) co_return *refused;
  reply.set_session_id(id.value() << 44 | ++sessions_created);
  shard(id).sessions.insert(reply.session_id());
  co_return rpc::Status();
}

Task<rpc::Status> FakeStore::keep_alive(Host& host, const pb::SessionHeartbeat& request) {
  const ShardId id{request.shard()};
  if (auto refused = refuse(host, id)) co_return *refused;
  if (!shard(id).sessions.contains(request.session_id())) co_return refusal(rpc::Code::not_found, "SESSION_NOT_FOUND");
  ++heartbeats;
  co_return rpc::Status();
}

Task<rpc::Status> FakeStore::close_session(Host& host, const pb::CloseSessionRequest& request) {
  const ShardId id{request.shard()};
  if (auto refused = refuse(host, id)) co_return *refused;
  ++sessions_closed;
  expire_sessions(id);
  co_return rpc::Status();
}

}  // namespace skerry::client::testing
