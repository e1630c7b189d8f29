// SPDX-License-Identifier: Apache-2.0
#include "client/client.hpp"

#include <fmt/format.h>

#include "base/hash.hpp"
#include "client/admission.hpp"
#include "client/atomic_write.hpp"
#include "client/best_record.hpp"
#include "client/check.hpp"
#include "client/pending.hpp"
#include "client/sessions.hpp"
#include "client/shard_writer.hpp"
#include "client/wire.hpp"
#include "net/tls_network.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::client {

namespace {

v1::Put put_message(const std::string& key, std::string value, const PutOptions& options) {
  v1::Put request;
  request.set_key(key);
  request.set_value(std::move(value));
  if (options.expected_version) request.set_expected_version_id(options.expected_version->value());
  if (options.partition_key) request.set_partition_key(*options.partition_key);
  for (const std::uint64_t delta : options.sequence_deltas) request.add_sequence_key_delta(delta);
  for (const IndexKey& index : options.indexes) {
    pb::SecondaryIndex& added = *request.add_secondary_indexes();
    added.set_index_name(index.name);
    added.set_secondary_key(index.key);
  }
  if (options.override_version) request.set_override_version_id(options.override_version->value());
  if (options.override_modifications) request.set_override_modifications_count(*options.override_modifications);
  if (options.time_to_live) request.set_time_to_live_ms(static_cast<std::uint64_t>(options.time_to_live->count()));
  request.set_keep_expiry(options.expiry == Expiry::keep);
  return request;
}

}  // namespace

// The parts, in the order in which they depend on each other.
struct Client::Members final : BatchRouter {
  Members(Core& client_core, net::Network& network, std::unique_ptr<net::TlsNetwork> secure, TokenSource token,
          ClientOptions client_options)
      : core(client_core), options(std::move(client_options)), secure_network(std::move(secure)),
        cluster(core, secure_network ? *secure_network : network, options, std::move(token)), sessions(cluster, tasks),
        admission(core, options.pending_operations_max, options.pending_bytes_max), tasks(core) {}

  ShardWriter& writer(ShardId shard) {
    std::unique_ptr<ShardWriter>& found = writers[shard];
    if (!found) {
      found = std::make_unique<ShardWriter>(cluster, tasks, *this, shard);
      tasks.spawn(found->run());
    }
    return *found;
  }
  ShardReader& reader(ShardId shard) {
    std::unique_ptr<ShardReader>& found = readers[shard];
    if (!found) {
      found = std::make_unique<ShardReader>(cluster, tasks, shard);
      tasks.spawn(found->run());
    }
    return *found;
  }
  Handed hand_on(const std::shared_ptr<WriteBatch>& batch) override;

  Deadline deadline(const std::optional<Deadline>& asked) const {
    return asked.value_or(core.clock().now() + options.request_timeout);
  }
  Backoff backoff() const { return {options.retry_pause_min, options.retry_pause_max}; }

  // Routes the operation, again where its shard has moved.
  Task<Result<WriteReply>> write(std::shared_ptr<PendingWrite> operation, std::string route_key, Deadline deadline);
  std::shared_ptr<PendingWrite> operation(WriteOperation::Request request, Deadline deadline) {
    return std::make_shared<PendingWrite>(core, cluster, std::move(request), deadline);
  }
  Task<Result<>> remove_everywhere(pb::DeleteRangeRequest request, Deadline deadline);
  Task<Result<WriteReply>> write_to(ShardId shard, std::shared_ptr<PendingWrite> operation);
  Task<Result<v1::PutResponse>> put(v1::Put request, Ephemeral ephemeral, std::string route_key, Deadline deadline);
  Task<Result<pb::GetResponse>> read_one(pb::GetRequest request, std::string route_key, Deadline deadline);
  Task<Result<pb::GetResponse>> read_all(pb::GetRequest request, Deadline deadline);
  Task<Result<>> check_order(Deadline deadline);   // of the keys: fails when the namespace has another

  Core& core;
  const ClientOptions options;
  const std::unique_ptr<net::TlsNetwork> secure_network;   // null: connections are plain
  Cluster cluster;
  std::map<ShardId, std::unique_ptr<ShardWriter>> writers;
  std::map<ShardId, std::unique_ptr<ShardReader>> readers;
  bool order_checked = false;
  Sessions sessions;
  Admission admission;
  TaskScope tasks;
};

namespace {

Error status_error(pb::Status status, std::string_view key) {
  switch (status) {
    case pb::KEY_NOT_FOUND: return {ClientErrc::key_not_found, {}};
    case pb::UNEXPECTED_VERSION_ID: return {ClientErrc::unexpected_version_id, {}};
    case pb::SESSION_DOES_NOT_EXIST:
      return {ClientErrc::session_expired,
              fmt::format("session expired: {} was not written, and earlier ephemeral records of this client on its shard are "
                          "gone; the next ephemeral put begins a new session",
                          printable(key))};
    default:
      return {Errc::internal,
              fmt::format("the server answered with status {}, which is not known here", static_cast<int>(status))};
  }
}

}  // namespace

Client::Client(std::unique_ptr<Members> members) : members_(std::move(members)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::make(Core& core, net::Network& network, ClientOptions options) {
  if (options.name_space.empty()) options.name_space = "default";
  if (options.identity.empty()) options.identity = fmt::format("{:016x}{:016x}", core.random().next(), core.random().next());
  TRYV(settle_tls(options));
  TRYV(check(options));
  TRY(TokenSource token, TokenSource::open(options.auth_token, options.auth_token_file));
  std::unique_ptr<net::TlsNetwork> secure;
  if (options.tls) {
    TRY(std::shared_ptr<net::TlsFiles> files, net::TlsFiles::open(*options.tls, net::TlsRole::client));
    secure =
        std::make_unique<net::TlsNetwork>(core, network, net::TlsNetworkOptions{.contexts = net::reloading(std::move(files))});
  }
  return std::unique_ptr<Client>(
      new Client(std::make_unique<Members>(core, network, std::move(secure), std::move(token), std::move(options))));
}

void Client::start() { members_->tasks.spawn(members_->cluster.follow()); }

Task<> Client::stop() {
  // Half a second is plenty for servers that are there, and no loss for others: sessions run out by themselves.
  if (!members_->sessions.empty()) co_await members_->sessions.close_all(members_->core.now() + 500ms);
  co_await members_->tasks.cancel_and_join();
  co_await members_->cluster.stop();
}

const ClientOptions& Client::options() const { return members_->options; }
std::string Client::trouble() const { return members_->cluster.trouble(); }
bool Client::connected() const { return members_->cluster.has_map(); }

// --- writes

BatchRouter::Handed Client::Members::hand_on(const std::shared_ptr<WriteBatch>& batch) {
  const auto hashes = batch->hashes();
  if (!hashes) return Handed::to_several;
  std::optional<ShardId> to;
  for (const std::uint32_t hash : *hashes) {
    const auto shard = cluster.route_now(hash);
    if (!shard) return Handed::not_yet;
    if (to && *to != *shard) return Handed::to_several;
    to = shard;
  }
  if (to) writer(*to).adopt(batch);
  return Handed::yes;
}

Task<Result<WriteReply>> Client::Members::write_to(ShardId shard, std::shared_ptr<PendingWrite> operation) {
  writer(shard).submit(operation);
  co_return co_await operation->answer.take();
}

Task<Result<WriteReply>> Client::Members::write(std::shared_ptr<PendingWrite> operation, std::string route_key,
                                                Deadline deadline) {
  const Wanted wanted(operation);
  operation->hash = key_hash(route_key);
  CO_TRY(const Admission::Lease lease, co_await admission.enter(operation->bytes(), deadline));
  Backoff pauses = backoff();
  for (;;) {
    CO_TRY(const ShardId shard, co_await cluster.route(key_hash(route_key), deadline));
    Result<WriteReply> reply = co_await write_to(shard, operation);
    if (reply || reply.error() != ClientErrc::shard_moved) co_return reply;
    co_await cluster.pause(pauses.next(core.random()), deadline);
  }
}

Task<Result<v1::PutResponse>> Client::Members::put(v1::Put request, Ephemeral ephemeral, std::string route_key,
                                                   Deadline deadline) {
  if (ephemeral == Ephemeral::no) {
    CO_TRY(WriteReply reply, co_await write(operation(std::move(request), deadline), std::move(route_key), deadline));
    co_return std::get<v1::PutResponse>(std::move(reply));
  }
  CO_TRY(const Admission::Lease lease, co_await admission.enter(request.ByteSizeLong(), deadline));
  Backoff pauses = backoff();
  for (;;) {
    CO_TRY(const ShardId shard, co_await cluster.route(key_hash(route_key), deadline));
    const Result<SessionId> session = co_await sessions.session(shard, deadline);
    Result<WriteReply> reply = fail(ClientErrc::shard_moved);
    if (session) {
      // The session belongs to the shard, so another shard needs another operation.
      request.set_session_id(session->value());
      request.set_client_identity(options.identity);
      const auto attempt = operation(request, deadline);
      attempt->hash = key_hash(route_key);
      const Wanted wanted(attempt);
      reply = co_await write_to(shard, attempt);
    } else if (session.error() != ClientErrc::shard_moved) {
      co_return fail(session.error());
    }
    if (reply) {
      auto response = std::get<v1::PutResponse>(std::move(*reply));
      if (response.status() == pb::SESSION_DOES_NOT_EXIST) sessions.lost(shard, *session);
      co_return response;
    }
    if (reply.error() != ClientErrc::shard_moved) co_return fail(reply.error());
    co_await cluster.pause(pauses.next(core.random()), deadline);
  }
}

Task<Result<PutResult>> Client::put(std::string key, std::string value, PutOptions options) {
  CO_TRYV(check_put(key, value, options));
  v1::Put request = put_message(key, std::move(value), options);
  CO_TRY(v1::PutResponse response,
         co_await members_->put(std::move(request), options.ephemeral, options.partition_key.value_or(key),
                                members_->deadline(options.deadline)));
  if (response.status() != pb::OK) co_return fail(status_error(response.status(), key));
  if (response.has_key()) key = std::move(*response.mutable_key());
  co_return PutResult{std::move(key), from_wire(response.version())};
}

Task<Result<>> Client::remove(std::string key, DeleteOptions options) {
  CO_TRYV(check_key("key", key));
  pb::DeleteRequest request;
  request.set_key(key);
  if (options.expected_version) request.set_expected_version_id(options.expected_version->value());
  if (options.partition_key) request.set_partition_key(*options.partition_key);
  const Deadline deadline = members_->deadline(options.deadline);
  const auto operation = members_->operation(std::move(request), deadline);
  CO_TRY(const WriteReply reply, co_await members_->write(operation, options.partition_key.value_or(key), deadline));
  const pb::Status status = std::get<pb::DeleteResponse>(reply).status();
  if (status == pb::KEY_NOT_FOUND && operation->maybe_applied) co_return Result<>();   // an earlier attempt deleted it
  if (status != pb::OK) co_return fail(status_error(status, key));
  co_return Result<>();
}

Task<Result<>> Client::remove_range(KeyRange range, DeleteOptions options) {
  CO_TRYV(check_key("start of the range", range.start));
  CO_TRYV(check_key("end of the range", range.end));
  if (options.expected_version) co_return fail(Errc::invalid_argument, "a range deletion takes no expected version");
  pb::DeleteRangeRequest request;
  request.set_start_inclusive(range.start);
  request.set_end_exclusive(range.end);
  const Deadline deadline = members_->deadline(options.deadline);
  if (options.partition_key) {
    CO_TRYV(co_await members_->write(members_->operation(std::move(request), deadline), *options.partition_key, deadline));
    co_return Result<>();
  }
  co_return co_await members_->remove_everywhere(std::move(request), deadline);
}

Task<Result<>> Client::Members::remove_everywhere(pb::DeleteRangeRequest request, Deadline deadline) {
  Backoff pauses = backoff();
  for (;;) {
    CO_TRY(const std::vector<ShardId> shards, co_await cluster.all_shards(deadline));
    std::vector<std::shared_ptr<PendingWrite>> operations;
    for (const ShardId shard : shards) {
      operations.push_back(operation(request, deadline));
      writer(shard).submit(operations.back());
    }
    bool moved = false;
    std::optional<Error> error;
    for (const auto& each : operations) {
      const Result<WriteReply> reply = co_await each->answer.take();
      if (reply) continue;
      if (reply.error() == ClientErrc::shard_moved) moved = true;
      else if (!error) error = reply.error();
    }
    if (error) co_return fail(*error);
    if (!moved) co_return Result<>();
    co_await cluster.pause(pauses.next(core.random()), deadline);   // deleting again where it was done does no harm
  }
}

Task<Result<BatchResult>> Client::commit(AtomicBatch batch, BatchOptions options) {
  CO_TRYV(check_batch(batch));
  v1::BatchRequest request;
  bool ephemeral = false;
  for (const AtomicBatch::Condition& condition : batch.conditions()) {
    v1::Guard& guard = *request.add_guards();
    guard.set_key(condition.key);
    if (condition.kind == AtomicBatch::Condition::Kind::version) {
      guard.set_version_id(condition.version.value());
    } else {
      guard.set_exists(condition.kind == AtomicBatch::Condition::Kind::exists);
    }
  }
  for (const AtomicBatch::Operation& operation : batch.operations()) {
    v1::Operation& added = *request.add_operations();
    if (const auto* put = std::get_if<AtomicBatch::Put>(&operation)) {
      *added.mutable_put() = put_message(put->key, put->value, put->options);
      if (options.partition_key) added.mutable_put()->set_partition_key(*options.partition_key);
      ephemeral |= put->options.ephemeral == Ephemeral::yes;
      if (put->options.ephemeral == Ephemeral::yes) added.mutable_put()->set_client_identity(members_->options.identity);
    } else if (const auto* one = std::get_if<AtomicBatch::Remove>(&operation)) {
      added.mutable_delete_()->set_key(one->key);
      if (one->expected_version) added.mutable_delete_()->set_expected_version_id(one->expected_version->value());
      if (options.partition_key) added.mutable_delete_()->set_partition_key(*options.partition_key);
    } else {
      const auto& range = std::get<KeyRange>(operation);
      added.mutable_delete_range()->set_start_inclusive(range.start);
      added.mutable_delete_range()->set_end_exclusive(range.end);
    }
  }
  const Deadline deadline = members_->deadline(options.deadline);
  CO_TRY(const Admission::Lease lease, co_await members_->admission.enter(request.ByteSizeLong(), deadline));
  AtomicWrite write(members_->cluster, members_->sessions, std::move(request), ephemeral ? Ephemeral::yes : Ephemeral::no);
  co_return co_await write.run(route_keys(batch, options), deadline);
}

// --- reads

Task<Result<pb::GetResponse>> Client::Members::read_one(pb::GetRequest request, std::string route_key, Deadline deadline) {
  const auto operation = std::make_shared<PendingRead>(core, cluster, std::move(request), deadline);
  const Wanted wanted(operation);
  CO_TRY(const Admission::Lease lease, co_await admission.enter(operation->request.ByteSizeLong(), deadline));
  Backoff pauses = backoff();
  for (;;) {
    CO_TRY(const ShardId shard, co_await cluster.route(key_hash(route_key), deadline));
    reader(shard).submit(operation);
    Result<pb::GetResponse> answer = co_await operation->answer.take();
    if (answer || answer.error() != ClientErrc::shard_moved) co_return answer;
    co_await cluster.pause(pauses.next(core.random()), deadline);
  }
}

// A walk over nothing: shards that sort their keys otherwise refuse it, where a get could only be answered wrongly.
Task<Result<>> Client::Members::check_order(Deadline deadline) {
  if (order_checked) co_return Result<>();
  CO_TRY(const std::vector<ShardId> shards, co_await cluster.all_shards(deadline));
  if (shards.size() < 2) co_return Result<>();
  RangeOptions limits;
  limits.deadline = deadline;
  Scan nothing(cluster, {"/", "/"}, std::move(limits), Scan::Kind::keys);
  CO_TRYV(co_await nothing.next());
  order_checked = true;
  co_return Result<>();
}

Task<Result<pb::GetResponse>> Client::Members::read_all(pb::GetRequest request, Deadline deadline) {
  if (request.comparison_type() != pb::EQUAL) CO_TRYV(co_await check_order(deadline));
  CO_TRY(const Admission::Lease lease, co_await admission.enter(request.ByteSizeLong(), deadline));
  Backoff pauses = backoff();
  for (;;) {
    CO_TRY(const std::vector<ShardId> shards, co_await cluster.all_shards(deadline));
    std::vector<std::shared_ptr<PendingRead>> operations;
    for (const ShardId shard : shards) {
      operations.push_back(std::make_shared<PendingRead>(core, cluster, request, deadline));
      reader(shard).submit(operations.back());
    }
    BestRecord best(options.key_order, request);
    std::optional<Error> error;
    for (const auto& operation : operations) {
      Result<pb::GetResponse> answer = co_await operation->answer.take();
      if (answer) best.offer(std::move(*answer));
      else if (!error || *error == ClientErrc::shard_moved) error = answer.error();
    }
    if (!error) co_return best.take();
    if (*error != ClientErrc::shard_moved) co_return fail(*error);
    co_await cluster.pause(pauses.next(core.random()), deadline);
  }
}

Task<Result<Record>> Client::get(std::string key, GetOptions options) {
  CO_TRYV(check_key("key", key));
  pb::GetRequest request;
  request.set_key(key);
  request.set_include_value(options.values == Values::yes);
  request.set_comparison_type(static_cast<pb::KeyComparisonType>(options.comparison));
  if (options.index) request.set_secondary_index_name(*options.index);
  const Deadline deadline = members_->deadline(options.deadline);
  const bool one_shard = options.partition_key || (options.comparison == Comparison::equal && !options.index);
  Result<pb::GetResponse> response = fail(Errc::internal);
  if (one_shard) {
    response = co_await members_->read_one(std::move(request), options.partition_key.value_or(key), deadline);
  } else {
    response = co_await members_->read_all(std::move(request), deadline);
  }
  if (!response) co_return fail(response.error());
  if (response->status() != pb::OK) co_return fail(status_error(response->status(), key));
  co_return from_wire(*response, std::move(key));
}

// --- walks and followers

std::unique_ptr<Scan> Client::list(KeyRange range, RangeOptions options) {
  return std::make_unique<Scan>(members_->cluster, std::move(range), std::move(options), Scan::Kind::keys);
}

std::unique_ptr<Scan> Client::scan(KeyRange range, RangeOptions options) {
  return std::make_unique<Scan>(members_->cluster, std::move(range), std::move(options), Scan::Kind::records);
}

Task<Result<std::unique_ptr<ChangeFollower>>> Client::follow_changes(FollowOptions options) {
  return ChangeFollower::start(members_->cluster, members_->tasks, std::move(options));
}

std::unique_ptr<SequenceFollower> Client::follow_sequence(std::string key, std::string partition_key) {
  return std::make_unique<SequenceFollower>(members_->cluster, std::move(key), std::move(partition_key));
}

}  // namespace skerry::client
