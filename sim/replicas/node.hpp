// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "control/node_call.hpp"
#include "control/node_report.hpp"
#include "replica/replica_core.hpp"
#include "sim/replicas/log.hpp"
#include "sim/replicas/network.hpp"
#include "sim/replicas/oracle.hpp"
#include "sim/replicas/plan.hpp"

namespace skerry::sim {

constexpr NodeId first_coordinator{1000};
constexpr bool is_coordinator(NodeId address) { return address >= first_coordinator; }

// What everybody in a simulated group shares.
struct Surroundings {
  Schedule& schedule;
  Network& network;
  Oracle& oracle;
  Random& random;
  Trace& trace;
  const Plan& plan;
  // With bad luck: that node crashes within the time and starts again soon; or its messages reach nobody for a while.
  std::function<void(NodeId, Duration)> may_crash = nullptr;
  std::function<void(NodeId)> may_fall_silent = nullptr;
  bool tells_refusals = false;   // to coordinators
  ReshapeMistake mistake = ReshapeMistake::none;
};

// A storage node with its replicas: the driver of their cores over a disk that forgets, on a clock of its own.
class SimNode {
 public:
  SimNode(Surroundings& around, NodeId id, int nodes, int clock_error_ppm);

  void found(MembershipVersion version);   // as after its first start
  void boot();
  void crash();
  void pause(TimePoint until) { paused_until_ = until; }
  void slow_disk(Duration sync_max) { sync_max_ = sync_max; }

  NodeId id() const { return id_; }
  std::uint32_t number() const { return id_.value(); }
  // Whether a coordinator of this epoch is obeyed: none of a later one has been heard.
  bool obeys(std::int64_t epoch) {
    epoch_ = std::max(epoch_, epoch);
    return epoch == epoch_;
  }
  std::uint64_t life() const { return life_; }
  bool up() const { return life_ != 0 && running_; }
  bool responds() const { return up() && around_.schedule.now() >= paused_until_; }
  TimePoint now() const;   // of its own clock
  bool serves(ShardId shard);
  replica::ReplicaCore& core(ShardId shard) { return *replica(shard).core; }
  Offset applied(ShardId shard) { return replica(shard).applied.offset; }

  // --- what happens at it
  void receive(const Message& message);
  void write(ShardId shard, std::uint64_t value);
  void read(ShardId shard);
  control::NodeReport report();     // of all its replicas
  // --- what a coordinator asks for in a call. Nothing: it has no answer yet (reshapes.cpp).
  std::optional<control::NodeReply> seal(ShardId shard, Term term);
  control::NodeReply unseal(ShardId shard, Term term);
  std::optional<control::NodeReply> reshape(const control::Reshape& asked);
  bool erase(ShardId shard, Term term);   // false: not now, or it knows a higher term
  void checkpoint(ShardId shard);   // its engine becomes durable as far as it may, and its log is trimmed

 private:
  struct Replica {
    ShardId shard;
    std::unique_ptr<replica::ReplicaCore> core;
    SimStore live, durable;
    replica::EntryId applied;            // of the live engine
    std::uint64_t state = 0;
    bool applies_later = false;
    Term sealed = no_term;               // takes nothing more while it leads in this term
    std::map<Offset, Term> proposed;     // of clients, not answered
    std::set<NodeId> askers;             // coordinators that await the answer to a NewTerm
    TimePoint tick_armed = TimePoint::max();
  };
  using Effects = replica::Effects;

  // --- the driver (node.cpp)
  Replica& replica(ShardId shard) { return replicas_[static_cast<std::size_t>(shard.value())]; }
  void carry_out(Replica& one, const Effects& effects);
  void carry_out(Replica& one, Result<Effects> effects);
  void change_log(Replica& one, const Effects& effects);
  void log(Replica& one, decltype(LogRecord::what) what);
  void apply(Replica& one);
  void apply_committed(Replica& one);
  void propose(Replica& one, std::uint64_t value);
  std::optional<std::uint64_t> state_at(Replica& one, const replica::EntryId& head) const;
  void send_all(Replica& one);
  void send_snapshot(Replica& one, NodeId to);
  void send(const Replica& one, NodeId to, decltype(Message::content) content);
  void arm_tick(Replica& one);
  // In this life only, and not while paused.
  void later(Duration length, std::function<void()> what);
  void when_running(std::uint64_t life, const std::function<void()>& what);
  Duration in_true_time(Duration local) const;

  // --- its disk
  void begin_sync();
  void end_sync(std::size_t records);

  // --- messages (node_messages.cpp)
  void take(Replica& one, const Message& message);
  void take(Replica& one, NodeId from, const Entries& message);
  void take(Replica& one, NodeId from, const replica::AppendAnswer& message);
  void take(Replica& one, NodeId from, const Snapshot& message);
  void take(Replica& one, NodeId from, const SnapshotTaken& message);
  void take(Replica& one, NodeId from, const replica::Heartbeat& message);
  void take(Replica& one, NodeId from, const replica::HeartbeatAnswer& message);
  void take(Replica& one, NodeId from, const replica::NewTerm& message);
  void take(Replica& one, NodeId from, const replica::BecomeLeader& message);
  void take(Replica& one, NodeId from, const replica::ChangeMembers& message);
  void refuse(const Replica& one, NodeId coordinator, Term asked, std::size_t kind);
  void heartbeats();

  Surroundings& around_;
  const NodeId id_;
  const int nodes_;
  const std::int64_t clock_error_ppm_;
  const Duration clock_began_;
  std::int64_t epoch_ = 0;   // durable, as what is to be held is
  std::uint64_t life_ = 0;
  bool running_ = false;
  TimePoint paused_until_;
  std::unique_ptr<replica::NodeLeases> leases_;
  std::vector<Replica> replicas_;
  std::deque<LogRecord> unsynced_;
  bool syncing_ = false;
  Duration sync_max_ = 500us;
  std::vector<std::uint64_t> arriving_;     // the entries of the message, or the state of the snapshot, that is being taken
};

}  // namespace skerry::sim
