// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/node.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace skerry::sim {

using namespace replica;

SimNode::SimNode(Surroundings& around, NodeId id, int nodes, int clock_error_ppm)
    : around_(around), id_(id), nodes_(nodes), clock_error_ppm_(clock_error_ppm),
      clock_began_(Duration(around.random.below(1'000'000'000))), replicas_(static_cast<std::size_t>(around.plan.shard_ids)) {
  for (std::size_t at = 0; at < replicas_.size(); ++at) replicas_[at].shard = ShardId(static_cast<std::int64_t>(at));
}

// --- life and time

void SimNode::boot() {
  ++life_;
  running_ = true;
  syncing_ = false;
  sync_max_ = 500us;
  paused_until_ = {};
  leases_ = std::make_unique<NodeLeases>(Incarnation(life_), now());
  for (Replica& one : replicas_) {
    one.live = one.durable;
    one.applied = one.durable.applied;
    one.state = one.durable.state;
    one.applies_later = false;
    one.sealed = no_term;
    one.proposed.clear();
    one.askers.clear();
    one.tick_armed = TimePoint::max();
    one.core = std::make_unique<ReplicaCore>(one.shard, id_, one.durable.recovered(), *leases_);
  }
  heartbeats();
}

// What was not synced is lost, but for as much of its beginning as chance likes.
void SimNode::crash() {
  running_ = false;
  const std::size_t kept = around_.random.below(unsynced_.size() + 1);
  for (std::size_t at = 0; at < kept; ++at) write_to(replica(unsynced_[at].shard).durable, unsynced_[at]);
  unsynced_.clear();
}

TimePoint SimNode::now() const {
  const Duration passed = around_.schedule.now().time_since_epoch();
  return TimePoint(clock_began_ + passed + passed * clock_error_ppm_ / 1'000'000);
}

Duration SimNode::in_true_time(Duration local) const {
  return local - local * clock_error_ppm_ / (1'000'000 + clock_error_ppm_) + 1ns;
}

void SimNode::later(Duration length, std::function<void()> what) {
  around_.schedule.after(length, [this, life = life_, happens = std::move(what)] { when_running(life, happens); });
}

void SimNode::when_running(std::uint64_t life, const std::function<void()>& what) {
  if (!running_ || life != life_) return;
  if (responds()) return what();
  around_.schedule.at(paused_until_, [this, life, what] { when_running(life, what); });
}

// --- its disk

void SimNode::log(Replica& one, decltype(LogRecord::what) what) {
  LogRecord record{one.shard, what, {}};
  write_to(one.live, record);
  record.position = one.core->position();
  unsynced_.push_back(record);
  begin_sync();
}

void SimNode::begin_sync() {
  if (syncing_) return;
  syncing_ = true;
  // What this turn still logs is in the batch too.
  later(0ns, [this] {
    const Duration length = 30us + Duration(around_.random.below(static_cast<std::uint64_t>(sync_max_.count())));
    later(length, [this, records = unsynced_.size()] { end_sync(records); });
  });
}

void SimNode::end_sync(std::size_t records) {
  std::map<ShardId, LogPosition> reached;
  for (std::size_t at = 0; at < records; ++at) {
    write_to(replica(unsynced_[at].shard).durable, unsynced_[at]);
    reached[unsynced_[at].shard] = unsynced_[at].position;
  }
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<std::ptrdiff_t>(records));
  syncing_ = false;
  if (!unsynced_.empty()) begin_sync();
  for (const auto& [shard, position] : reached) carry_out(replica(shard), replica(shard).core->persisted(position, now()));
}

// The engine is never durable beyond the synced log, and the log is trimmed only below the engine.
void SimNode::checkpoint(ShardId shard) {
  Replica& one = replica(shard);
  if (one.applied.offset > one.core->persisted() || one.applied.offset <= one.durable.applied.offset) return;
  one.durable.applied = one.live.applied = one.applied;
  one.durable.state = one.live.state = one.state;
  const auto kept = static_cast<std::int64_t>(around_.random.below(20));
  const Offset first_kept(one.applied.offset.value() + 1 - kept);
  if (first_kept <= one.live.first()) return;
  one.core->trimmed(first_kept);
  log(one, LogRecord::Trim{first_kept});
}

// --- carrying out

void SimNode::carry_out(Replica& one, Result<Effects> effects) {
  if (effects) return carry_out(one, *effects);
  if (effects.error().code == make_error_code(Errc::corrupt)) around_.oracle.fail(effects.error().message());
}

void SimNode::carry_out(Replica& one, const Effects& effects) {
  if (effects.lost_above) one.proposed.clear();
  change_log(one, effects);
  if (effects.commit) apply_committed(one);
  if (effects.answer) send(one, effects.answer->to, effects.answer->message);
  if (effects.fenced) {
    for (const NodeId asker : std::exchange(one.askers, {})) send(one, asker, *effects.fenced);
    if (around_.random.chance(0.2)) around_.may_crash(id_, 400us);
  }
  if (effects.confirmed) {
    for (std::uint32_t each = 0; each < 2; ++each) {
      send(one, NodeId(first_coordinator.value() + each), MembersConfirmed{one.core->term(), *effects.confirmed});
    }
  }
  if (effects.propose_barrier) {
    around_.may_fall_silent(id_);
    propose(one, around_.random.next());
    if (around_.random.chance(0.2)) around_.may_crash(id_, 4ms);
  }
  if (effects.serving) read(one.shard);
  if (effects.send) send_all(one);
  arm_tick(one);
}

void SimNode::change_log(Replica& one, const Effects& effects) {
  if (effects.record) log(one, LogRecord::NewTerm{one.core->term(), one.core->version()});
  if (effects.install) {
    if (effects.install->offset < one.applied.offset) around_.oracle.fail("a snapshot takes a state back");
    one.applied = *effects.install;
    one.state = arriving_.front();
    around_.oracle.check_state(one.shard, one.applied.offset, one.state);
    log(one, LogRecord::Install{one.applied, one.state});
  }
  if (effects.cut_above) {
    if (*effects.cut_above < one.applied.offset) around_.oracle.fail("an applied entry is cut");
    log(one, LogRecord::Cut{*effects.cut_above});
  }
  if (effects.append) {
    const EntryRange& range = *effects.append;
    const auto skipped = static_cast<std::int64_t>(arriving_.size()) - (range.last.value() - range.first.value() + 1);
    SKERRY_ASSERT(skipped >= 0 && one.live.last().next() == range.first);
    for (auto at = static_cast<std::size_t>(skipped); at < arriving_.size(); ++at) {
      log(one, LogRecord::Append{{range.term, arriving_[at]}});
    }
  }
}

void SimNode::apply_committed(Replica& one) {
  if (!around_.random.chance(around_.plan.applied_late)) return apply(one);
  if (one.applies_later) return;
  one.applies_later = true;
  later(Duration(around_.random.below(20'000'000)), [this, &one] {
    one.applies_later = false;
    apply(one);
  });
}

void SimNode::apply(Replica& one) {
  const Offset commit = one.core->commit();
  while (one.applied.offset < commit) {
    const Offset offset = one.applied.offset.next();
    if (!one.live.holds(offset)) return around_.oracle.fail("a committed entry is not in the log");
    const SimEntry entry = one.live.at(offset);
    around_.oracle.committed(one.shard, offset, entry, one.core->term());
    one.applied = {entry.term, offset};
    one.state = chain(one.state, entry);
    const auto waiting = one.proposed.find(offset);
    if (waiting == one.proposed.end()) continue;
    if (waiting->second == one.core->term() && one.core->leads()) around_.oracle.acknowledged(one.shard, offset);
    one.proposed.erase(waiting);
  }
  carry_out(one, one.core->applied(one.applied.offset));
}

// --- leading

void SimNode::write(ShardId shard, std::uint64_t value) {
  Replica& one = replica(shard);
  if (!serves(shard) || one.sealed == one.core->term() || one.proposed.size() > 500) return;
  propose(one, value);
  one.proposed[one.live.last()] = one.core->term();
  send_all(one);
}

void SimNode::propose(Replica& one, std::uint64_t value) {
  const EntryId entry = one.core->propose();
  SKERRY_ASSERT(entry.offset == one.live.last().next());
  log(one, LogRecord::Append{{entry.term, value}});
  send_all(one);
}

bool SimNode::serves(ShardId shard) {
  ReplicaCore& core = *replica(shard).core;
  return responds() && core.role() == ReplicaCore::Role::serving && core.holds_lease(now());
}

void SimNode::read(ShardId shard) {
  const Replica& one = replica(shard);
  if (serves(shard)) around_.oracle.read(shard, one.applied.offset, one.state);
}

void SimNode::send_all(Replica& one) {
  std::vector<NodeId> followers;
  for (const FollowerProgress& follower : one.core->followers()) followers.push_back(follower.node());
  for (const NodeId to : followers) {
    while (const auto plan = one.core->next_send(to)) {
      if (plan->kind == SendPlan::Kind::snapshot) {
        send_snapshot(one, to);
        break;
      }
      Entries message;
      const auto planned = static_cast<std::uint64_t>(plan->last.value() - plan->previous.offset.value());
      const std::int64_t count =
          planned == 0 ? 0 : static_cast<std::int64_t>(1 + around_.random.below(std::min<std::uint64_t>(planned, 40)));
      const Offset last(plan->previous.offset.value() + count);
      for (Offset at = plan->previous.offset.next(); at <= last; at = at.next()) message.values.push_back(one.live.at(at).value);
      message.header = one.core->sent(to, last, static_cast<std::size_t>(count) * 100, now());
      send(one, to, std::move(message));
    }
  }
  arm_tick(one);
}

void SimNode::send_snapshot(Replica& one, NodeId to) {
  const SnapshotHeader header{one.core->term(), one.core->version(), one.applied};
  send(one, to, Snapshot{header, one.state});
  later(300ms, [this, &one, to, term = header.term] {
    if (one.core->leads() && one.core->term() == term) carry_out(one, one.core->snapshot_ended(to, std::nullopt));
  });
}

void SimNode::send(const Replica& one, NodeId to, decltype(Message::content) content) {
  around_.network.send({one.shard, id_, to, std::move(content)});
}

void SimNode::arm_tick(Replica& one) {
  const TimePoint next = one.core->next_tick();
  if (next >= one.tick_armed) return;
  one.tick_armed = next;
  later(std::max(Duration(), in_true_time(next - now())), [this, &one] {
    one.tick_armed = TimePoint::max();
    carry_out(one, one.core->tick(now()));
  });
}

}  // namespace skerry::sim
