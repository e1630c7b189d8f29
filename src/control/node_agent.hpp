// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "control/node_record.hpp"
#include "disk/log.hpp"
#include "replica/node_links.hpp"
#include "replica/reshaper.hpp"
#include "replica/shard_group.hpp"
#include "rpc/methods.hpp"
#include "runtime/log.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::control {

// Hears what a node's coordinator wants of the parts that the agent does not see.
class NodeListener {
 public:
  virtual ~NodeListener() = default;
  virtual void on_assignments(const v1::Assignments& assignments) = 0;   // for clients; newer than those before
  virtual void on_opened(const std::string& name_space, replica::Shard& shard) = 0;
  virtual void on_closing(ShardId shard) = 0;                            // it is about to be deleted
  virtual v1::Usage usage() = 0;
  // The node is lost to its cluster for the damage that it reported: what it keeps is to be put aside, and begun anew without.
  virtual void on_given_up() = 0;
};

// What a node does for its coordinator: says who it is and how its replicas are, opens those it should hold, takes part in
// elections, makes replicas of shards that others are split or merged into or that come from a backup, deletes what it holds no
// more. Obeys whoever names its cluster and itself, but nobody who holds office no more; terms, memberships and revisions see to
// the rest. What must not end half-way goes on when the call that asked for it has gone. One core's, the node's; between the
// node's storage, which must outlive it, and its internal port.
class NodeAgent {
 public:
  struct Parts {
    Core& core;
    disk::Log& log;
    replica::ShardGroup& group;
    replica::NodeLeases& leases;
    replica::NodeLinks& links;
    NodeRecord& record;
    NodeListener& listener;
    Logger logger;
    std::string pool;   // of this process
    std::string version;   // of this program
    std::string kept_aside{};   // the damaged folder of the node before this one: while it is there no damage is reported
    replica::ShardOptions shard_options;   // without what is the replica's own
  };
  explicit NodeAgent(Parts parts);
  ~NodeAgent();

  void register_in(rpc::Methods& methods);   // on a server that stops before this
  // Opens what the record says that it holds. A replica that can't be opened is reported as failed; the others go on.
  Task<> start();
  Task<> stop();

 private:
  struct Seen;
  struct Attendance;   // of one coordinator's standing call
  class Taken;
  class Removing;
  struct Binding {
    std::optional<Result<>> result;
  };
  struct Removal {
    std::optional<Result<>> result;
  };
  struct Wanted {
    std::string name_space;
    store::KeyOrder order;
    bool notifications;
  };

  std::optional<rpc::Status> refuse_stranger(const rpc::ServerCall& call);
  std::optional<rpc::Status> refuse_outdated(const rpc::ServerCall& call);
  Task<rpc::Status> attend(rpc::ServerCall& call, rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports);
  Task<Result<>> greet(const v1::Hello& hello, v1::Greeting& greeting);
  Task<> bind(v1::Hello hello, std::shared_ptr<Binding> binding);
  std::string damage() const;
  void join();
  void take(const v1::Order& order);
  void take_nodes(const v1::Nodes& nodes);
  void take_holdings(const v1::Holdings& holdings);
  void report(Attendance& attendance, v1::Report& report);
  static v1::ReplicaReport report_of(ShardId id, const Seen& seen);
  void report_replicas(Attendance& attendance, bool with_load, v1::Report& report);

  // --- its replicas (node_agent_replicas.cpp)
  Task<Result<replica::Shard*>> open(ShardId id, Wanted wanted);
  Task<> open_quietly(ShardId id, Wanted wanted);
  Task<> save(Task<Result<>> saving);

  Task<rpc::Status> new_term(rpc::ServerCall& call, const v1::NewTermRequest& request, v1::NewTermReply& reply);
  Task<rpc::Status> become_leader(rpc::ServerCall& call, const v1::BecomeLeaderRequest& request);
  Task<rpc::Status> change_members(rpc::ServerCall& call, const v1::ChangeMembersRequest& request, v1::ChangeMembersReply& reply);
  Task<rpc::Status> delete_replica(rpc::ServerCall& call, const v1::DeleteReplicaRequest& request);
  Task<> remove(std::unique_ptr<Removing> removing);
  Task<Result<>> remove(ShardId id);
  Task<rpc::Status> read_state(rpc::ServerCall& call, const v1::ReadStateRequest& request,
                               rpc::Replies<v1::ReadStateReply>& replies);
  Task<Result<>> send_state(replica::ShardUse shard, rpc::Replies<v1::ReadStateReply>& replies);
  Task<rpc::Status> make_replica(rpc::ServerCall& call, rpc::Requests<v1::MakeReplicaRequest>& requests,
                                 v1::MakeReplicaReply& reply);
  Task<Result<v1::MakeReplicaReply>> make_replica(rpc::Requests<v1::MakeReplicaRequest>& requests);

  // --- splitting and merging (node_agent_reshape.cpp)
  void register_reshapes(rpc::Methods& methods);
  Task<rpc::Status> prepare_reshape(rpc::ServerCall& call, const v1::ReshapeRequest& request);
  Task<rpc::Status> reshape(rpc::ServerCall& call, const v1::ReshapeRequest& request);
  Task<rpc::Status> seal_shard(rpc::ServerCall& call, const v1::SealShardRequest& request, v1::SealShardReply& reply);
  Task<rpc::Status> unseal_shard(rpc::ServerCall& call, const v1::SealShardRequest& request);
  rpc::Status status_of_reshape(const Error& error, const replica::ReshapePlan& plan) const;
  static rpc::Status status_of_seal(const Error& error, Term known, Term asked);
  static rpc::Status not_held(ShardId shard);

  Parts parts_;
  std::set<ShardId> taken_;   // are being opened or deleted
  std::map<ShardId, Error> failed_;   // could not be opened
  std::map<ShardId, std::shared_ptr<Removal>> removals_;   // under way
  std::shared_ptr<Binding> binding_;   // the same
  WaitList freed_;   // woken when one of these has ended
  std::int64_t epoch_ = 0;   // the highest of a coordinator that has called
  std::pair<std::int64_t, std::int64_t> nodes_revision_{}, holdings_revision_{}, assignments_revision_{};
  replica::Reshaper reshaper_;
  TaskScope tasks_;
};

}   // namespace skerry::control
