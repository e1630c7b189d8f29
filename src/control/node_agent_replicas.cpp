// SPDX-License-Identifier: Apache-2.0
// What a NodeAgent does with its replicas where it is asked to: opens and deletes them, takes part in elections, and brings their
// state to backups and from them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/limits.hpp"
#include "control/node_agent.hpp"
#include "control/node_messages.hpp"
#include "replica/state_restorer.hpp"
#include "rpc/status.hpp"
#include "runtime/core.hpp"

namespace skerry::control {
namespace {

// What replicas refuse, told so that the coordinator can act on it.
rpc::Status status_of(const Error& error, Term known, Term asked) {
  return known > asked ? outdated(error, known) : rpc::Status::from(error);
}

}   // namespace

// A replica that is opened or deleted: one at a time does either.
class NodeAgent::Taken {
 public:
  Taken(NodeAgent& agent, ShardId shard) : agent_(agent), shard_(shard) { agent_.taken_.insert(shard_); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken() {   // also when it is cancelled
    agent_.taken_.erase(shard_);
    agent_.freed_.wake_all();
  }

 private:
  NodeAgent& agent_;
  const ShardId shard_;
};

// A deletion under way, from when it was asked for. Tells who waits for it that it has ended, however it does.
class NodeAgent::Removing {
 public:
  Removing(NodeAgent& agent, ShardId shard)
      : agent_(agent), shard_(shard), removal_(std::make_shared<Removal>()), taken_(agent, shard) {
    agent_.removals_[shard_] = removal_;
  }
  Removing(const Removing&) = delete;
  Removing& operator=(const Removing&) = delete;
  ~Removing() {
    if (!removal_->result) removal_->result = fail(Errc::closed, "the node is stopping");
    agent_.removals_.erase(shard_);
  }
  ShardId shard() const { return shard_; }
  void ends(Result<> result) { removal_->result = std::move(result); }

 private:
  NodeAgent& agent_;
  const ShardId shard_;
  const std::shared_ptr<Removal> removal_;
  const Taken taken_;   // goes first, and wakes them: the result is there by then
};

Task<Result<replica::Shard*>> NodeAgent::open(ShardId id, Wanted wanted) {
  while (taken_.contains(id)) co_await freed_.wait();
  if (replica::Shard* found = parts_.group.find(id)) co_return found;
  if (const auto failed = failed_.find(id); failed != failed_.end()) co_return fail(failed->second);
  const Taken taken(*this, id);
  co_await reshaper_.abandon(id);   // what there is of it can be opened
  replica::ShardOptions options = parts_.shard_options;
  options.order = wanted.order;
  options.notifications = wanted.notifications;
  options.seat = replica::Seat{NodeId(parts_.record.value().node()), &parts_.leases, &parts_.links};
  const auto opened = co_await parts_.group.open(id, std::move(options));
  if (!opened) {
    failed_.insert_or_assign(id, opened.error());
    parts_.logger.error("a replica can't be opened; the others of its shard go on without it",
                        {{"shard", id}, {"namespace", wanted.name_space}, {"reason", opened.error()}});
    co_return fail(opened.error());
  }
  parts_.listener.on_opened(wanted.name_space, **opened);
  co_return *opened;
}

Task<> NodeAgent::open_quietly(ShardId id, Wanted wanted) {
  static_cast<void>(co_await open(id, std::move(wanted)));   // a failure is logged and reported
}

std::optional<rpc::Status> NodeAgent::refuse_stranger(const rpc::ServerCall& call) {
  const auto refused = [](std::string why) { return rpc::Status{rpc::Code::failed_precondition, std::move(why), {}}; };
  const v1::NodeRecord& record = parts_.record.value();
  if (!parts_.record.bound()) return refused("this node belongs to no cluster yet: attend it first");
  if (call.header(instance_header) != record.instance()) {
    return refused(fmt::format("this node belongs to the cluster {}, the caller to {}", record.instance(),
                               call.header(instance_header).value_or("none")));
  }
  if (call.header(to_header) != fmt::to_string(record.node())) {
    return refused(
        fmt::format("this is node {}, the caller looks for {}", record.node(), call.header(to_header).value_or("none")));
  }
  return refuse_outdated(call);
}

// What a coordinator did that holds office no more may be undone already: its words could bring back what was deleted.
std::optional<rpc::Status> NodeAgent::refuse_outdated(const rpc::ServerCall& call) {
  const std::int64_t known = std::max({epoch_, nodes_revision_.first, holdings_revision_.first});
  const std::string_view text = call.header(epoch_header).value_or("");
  std::int64_t epoch = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  if (error != std::errc() || end != text.data() + text.size()) {
    return rpc::Status{
        rpc::Code::invalid_argument, fmt::format("the header {} must be a coordinator's epoch, a number", epoch_header), {}};
  }
  if (epoch < known) {
    return rpc::Status{rpc::Code::failed_precondition,
                       fmt::format("the coordinator of epoch {} is known, the caller is of epoch {}", known, epoch),
                       {}};
  }
  epoch_ = epoch;
  return std::nullopt;
}

Task<rpc::Status> NodeAgent::new_term(rpc::ServerCall& call, const v1::NewTermRequest& request, v1::NewTermReply& reply) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  const auto opened =
      co_await open(ShardId(request.shard()), {request.namespace_(), read(request.key_order()), request.notifications()});
  if (!opened) co_return rpc::Status::from(opened.error());
  const replica::ShardUse shard = (*opened)->use();
  const auto answer = co_await shard->new_term({Term(request.term()), MembershipVersion(request.version())});
  if (!answer) co_return status_of(answer.error(), shard->term(), Term(request.term()));
  reply = write(*answer);
  co_return rpc::Status();
}

Task<rpc::Status> NodeAgent::become_leader(rpc::ServerCall& call, const v1::BecomeLeaderRequest& request) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  replica::Shard* shard = parts_.group.find(ShardId(request.shard()));
  if (shard == nullptr) co_return not_held(ShardId(request.shard()));
  const auto done = shard->become_leader(read(request));
  co_return done ? rpc::Status() : status_of(done.error(), shard->term(), Term(request.term()));
}

Task<rpc::Status> NodeAgent::change_members(rpc::ServerCall& call, const v1::ChangeMembersRequest& request,
                                            v1::ChangeMembersReply& reply) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  replica::Shard* shard = parts_.group.find(ShardId(request.shard()));
  if (shard == nullptr) co_return not_held(ShardId(request.shard()));
  const auto confirmed = shard->change_members(read(request));
  if (!confirmed) co_return status_of(confirmed.error(), shard->term(), Term(request.term()));
  reply.set_confirmed(*confirmed);
  co_return rpc::Status();
}

Task<rpc::Status> NodeAgent::delete_replica(rpc::ServerCall& call, const v1::DeleteReplicaRequest& request) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  const ShardId id(request.shard());
  while (taken_.contains(id) && !removals_.contains(id)) co_await freed_.wait();
  if (!removals_.contains(id)) {
    const replica::Shard* shard = parts_.group.find(id);
    const Term known = shard != nullptr ? shard->term() : parts_.log.shard(id).term;
    if (known > Term(request.term())) {
      co_return outdated({Errc::aborted, fmt::format("term {} of shard {} is known", known.value(), id.value())}, known);
    }
    auto removing = std::make_unique<Removing>(*this, id);
    tasks_.spawn(remove(std::move(removing)));
  }
  const auto found = removals_.find(id);
  if (found == removals_.end()) co_return rpc::Status::from(Error{Errc::closed, "the node is stopping"});
  const std::shared_ptr<Removal> removal = found->second;
  while (!removal->result) co_await freed_.wait();
  co_return *removal->result ? rpc::Status() : rpc::Status::from(removal->result->error());
}

// Goes on though the call that asks for it ends: who asks again joins it.
Task<> NodeAgent::remove(std::unique_ptr<Removing> removing) { removing->ends(co_await remove(removing->shard())); }

Task<Result<>> NodeAgent::remove(ShardId id) {
  co_await reshaper_.abandon(id);
  parts_.listener.on_closing(id);
  co_await parts_.group.retire(id);
  CO_TRYV(co_await parts_.group.forget(id, parts_.core.now() + limits::replica_release_patience));
  failed_.erase(id);
  v1::Holdings holdings = parts_.record.value().holdings();
  auto& replicas = *holdings.mutable_replicas();
  replicas.erase(std::remove_if(replicas.begin(), replicas.end(), [id](const auto& each) { return each.shard() == id.value(); }),
                 replicas.end());
  co_return co_await parts_.record.keep(std::move(holdings));
}

// --- backups

Task<rpc::Status> NodeAgent::read_state(rpc::ServerCall& call, const v1::ReadStateRequest& request,
                                        rpc::Replies<v1::ReadStateReply>& replies) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  const ShardId id(request.shard());
  replica::Shard* const found = parts_.group.find(id);
  if (found == nullptr || !found->serves()) {
    co_return rpc::Status::with_info(rpc::Code::failed_precondition, fmt::format("shard {} is not led here", id.value()),
                                     {error_domain, not_leader_reason, {}});
  }
  const auto sent = co_await send_state(found->use(), replies);
  co_return sent ? rpc::Status() : rpc::Status::from(sent.error());
}

Task<Result<>> NodeAgent::send_state(replica::ShardUse shard, rpc::Replies<v1::ReadStateReply>& replies) {
  CO_TRY(const auto state, co_await shard->snapshot());
  v1::ReadStateReply reply;
  for (;;) {
    CO_TRY(auto block, co_await state->next());
    if (!block) co_return Result<>{};
    reply.set_block(*std::move(block));
    CO_TRYV(co_await replies.write(reply));
  }
}

Task<rpc::Status> NodeAgent::make_replica(rpc::ServerCall& call, rpc::Requests<v1::MakeReplicaRequest>& requests,
                                          v1::MakeReplicaReply& reply) {
  if (auto refused = refuse_stranger(call)) co_return *std::move(refused);
  auto made = co_await make_replica(requests);
  if (!made) co_return rpc::Status::from(made.error());
  reply = *std::move(made);
  co_return rpc::Status();
}

Task<Result<v1::MakeReplicaReply>> NodeAgent::make_replica(rpc::Requests<v1::MakeReplicaRequest>& requests) {
  v1::MakeReplicaRequest request;
  CO_TRY(const bool begun, co_await requests.next(request));
  if (!begun || !request.has_replica()) co_return fail(Errc::invalid_argument, "it begins with which replica is to be made");
  const ShardId id(request.replica().shard());
  while (taken_.contains(id)) co_await freed_.wait();
  if (parts_.group.find(id) != nullptr || failed_.contains(id) || parts_.log.shard(id).term != no_term) {
    co_return fail(Errc::already_exists, fmt::format("this node has a replica of shard {} already", id.value()));
  }
  const Taken taken(*this, id);
  CO_TRY(const auto state, replica::StateRestorer::make({.core = parts_.core,
                                                         .log = parts_.log,
                                                         .engine = parts_.group.engine(),
                                                         .shard = id,
                                                         .order = read(request.replica().key_order())}));
  for (;;) {
    CO_TRY(const bool more, co_await requests.next(request));
    if (!more || !request.has_block()) co_return fail(Errc::corrupt, "the state ends early");
    CO_TRY(const auto restored, co_await state->take(std::move(*request.mutable_block())));
    if (!restored) continue;
    v1::MakeReplicaReply reply;
    reply.set_term(restored->term.value());
    reply.set_records(restored->records);
    co_return reply;
  }
}

}   // namespace skerry::control
