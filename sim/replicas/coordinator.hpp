// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <vector>

#include "sim/replicas/node.hpp"

namespace skerry::sim {

// The durable status of one shard. A write names the revision it was made from, and is refused when there is a newer one.
struct ShardStatus {
  std::uint64_t revision = 0;
  Term term = no_term;
  std::optional<NodeId> leader;
  replica::Membership members;
};

class StatusStore {
 public:
  explicit StatusStore(std::vector<ShardStatus> shards) : shards_(std::move(shards)) {}
  const ShardStatus& read(ShardId shard) const { return shards_[static_cast<std::size_t>(shard.value())]; }
  bool write(ShardId shard, ShardStatus status);

 private:
  std::vector<ShardStatus> shards_;
};

// One that elects and changes members, at what the simulation thinks a good or bad moment.
class GroupCoordinator {
 public:
  virtual ~GroupCoordinator() = default;
  virtual void receive(const Message& message) = 0;
  virtual void elect(ShardId shard) = 0;
  virtual void change_members(ShardId shard) = 0;
  virtual void reshape(ShardId) {}   // splits it, or merges it with its neighbour
  // From now on it wants a leader that serves, and members that are confirmed and not joint, and leaves alone what is.
  virtual void tend(ShardId shard, bool is_well, bool is_settled) = 0;
  virtual bool is_settled(ShardId shard) const = 0;   // as it sees it
};

// Follows the rules of docs/adr/0014 and is otherwise as capricious as chance has it: elects when nothing is wrong, forgets what
// it was doing, acts on what it read long ago. One of two that know nothing of each other.
class SimCoordinator final : public GroupCoordinator {
 public:
  SimCoordinator(Surroundings& around, StatusStore& statuses, NodeId address, Mistake mistake);

  void receive(const Message& message) override;
  void elect(ShardId shard) override;
  void change_members(ShardId shard) override;
  void tend(ShardId shard, bool is_well, bool is_settled) override;
  bool is_settled(ShardId) const override { return true; }

 private:
  enum class Stage : std::uint8_t { idle, reading, writing, fencing, installing, confirming };
  struct Work {
    Stage stage = Stage::idle;
    std::uint64_t attempt = 0;   // what belongs to an earlier one is forgotten
    TimePoint since;
    ShardStatus status;   // as read, or as written
    std::map<NodeId, replica::NewTermAnswer> fenced;
    replica::BecomeLeader telling;
    NodeId chosen;
    std::optional<MembershipVersion> confirmed;
    bool settle = false;   // only out of the joint membership
    std::optional<NodeId> left_out;
    TimePoint was_well;   // with faults over
  };

  Work& work(ShardId shard) { return works_[static_cast<std::size_t>(shard.value())]; }
  bool begin(ShardId shard);   // false: something is under way
  void give_up(Work& work) { work.stage = Stage::idle; }
  void later(ShardId shard, Duration length, std::function<void(Work&)> what);   // unless another attempt began
  Duration some_time();
  // Reads the status, now or long ago, and goes on with what was read.
  void read(ShardId shard, std::function<void(Work&)> then);
  void write(ShardId shard, ShardStatus status, std::function<void(Work&)> then);

  void leave_out(Work& work, NodeId leader);
  void fence(ShardId shard, Work& work);
  void take(ShardId shard, NodeId from, const replica::NewTermAnswer& answer);
  bool fenced_enough(const Work& work) const;
  void choose(ShardId shard, Work& work);
  NodeId best_of(const Work& work);
  Duration lease_wait(const Work& work) const;
  void install(ShardId shard, Work& work);
  void take(ShardId shard, NodeId from, const LeaderInstalled& answer);
  void confirm(ShardId shard, Work& work);
  void take(ShardId shard, NodeId from, const MembersConfirmed& answer);
  replica::Membership next_members(const Work& work);
  std::vector<NodeId> some_nodes();
  void send(ShardId shard, NodeId to, decltype(Message::content) content);

  Surroundings& around_;
  StatusStore& statuses_;
  const NodeId address_;
  const Mistake mistake_;
  bool behaves_ = false;
  std::vector<Work> works_;
};

}   // namespace skerry::sim
