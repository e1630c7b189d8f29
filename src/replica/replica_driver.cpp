// SPDX-License-Identifier: Apache-2.0
#include "replica/replica_driver.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "replica/shard_error.hpp"
#include "store/entry.hpp"

namespace skerry::replica {

ReplicaDriver::ReplicaDriver(Parts parts)
    : parts_(std::move(parts)), stamps_(parts_.core.clock().wall(), parts_.core.clock().now()),
      reception_({parts_.core, parts_.state, parts_.shard, parts_.machine.order(), parts_.room}), changed_(parts_.core),
      tasks_(parts_.core) {
  parts_.log.add_listener(*this);
}

ReplicaDriver::~ReplicaDriver() { parts_.log.remove_listener(*this); }

Task<Result<>> ReplicaDriver::open() {
  const Offset last = parts_.replica.last();
  if (last == parts_.replica.applied()) co_return Result<>{};
  CO_TRY(const auto entries, co_await parts_.log.read(parts_.shard, last, 1));
  if (entries.empty()) {
    co_return fail(Errc::corrupt, fmt::format("the log of shard {} has no entry {}", parts_.shard.value(), last.value()));
  }
  CO_TRY(const auto header, store::decode_entry_header(entries.front().payload));
  newest_stamp_ = header.stamp;
  co_return Result<>{};
}

Task<> ReplicaDriver::stop() {
  reception_.close();
  co_await tasks_.cancel_and_join();
}

// --- the leader's own

Result<Offset> ReplicaDriver::propose(Bytes entry) {
  const Offset offset = next_offset();
  note_change();
  TRY(const disk::Sequence sequence, parts_.log.append(parts_.shard, parts_.replica.term(), offset, entry));
  SKERRY_ASSERT(parts_.replica.propose().offset == offset);
  ++entries_logged_;
  bytes_logged_ += entry.size();
  cache_.append(offset, std::move(entry));
  logged(sequence);
  if (parts_.peers != nullptr) send_soon();
  return offset;
}

Result<Stamp> ReplicaDriver::next_stamp() {
  const Clock& clock = parts_.core.clock();
  return stamps_.next(std::max(parts_.machine.last_stamp(), newest_stamp_), clock.wall(), clock.now());
}

bool ReplicaDriver::serves() {
  ReplicaCore& replica = parts_.replica;
  if (replica.role() != ReplicaCore::Role::serving) return false;
  return parts_.peers == nullptr || replica.holds_lease(parts_.core.clock().now());
}

// --- the coordinator's

Task<Result<NewTermAnswer>> ReplicaDriver::new_term(NewTerm asked) {
  if (failure_) co_return fail(*failure_);
  CO_TRY(Effects effects, parts_.replica.new_term(asked, now()));
  answer_.reset();
  carry_out(effects);
  while (!answer_ || answer_->term != asked.term) {
    if (failure_) co_return fail(*failure_);
    if (parts_.replica.term() != asked.term) {
      co_return fail(Errc::aborted, fmt::format("term {} came after {}", parts_.replica.term().value(), asked.term.value()));
    }
    co_await changed_.wait();
  }
  co_return *answer_;
}

Result<> ReplicaDriver::become_leader(BecomeLeader told) {
  if (failure_) return fail(*failure_);
  TRY(Effects effects, parts_.replica.become_leader(std::move(told), now()));
  carry_out(effects);
  arm_tick();
  return {};
}

Result<bool> ReplicaDriver::change_members(ChangeMembers told) {
  if (failure_) return fail(*failure_);
  const MembershipVersion version = told.membership.version;
  TRY(Effects effects, parts_.replica.change_members(std::move(told)));
  carry_out(effects);
  return parts_.replica.confirmed_version() == version;
}

Task<Result<>> ReplicaDriver::vouched(EntryId last) {
  if (failure_) co_return fail(*failure_);
  const Term term = parts_.replica.term();
  CO_TRY(Effects effects, parts_.replica.vouched(last));
  carry_out(effects);
  while (parts_.replica.applied() < last.offset && !failure_ && parts_.replica.term() == term) co_await changed_.wait();
  if (failure_) co_return fail(*failure_);
  if (parts_.replica.term() != term) {
    co_return fail(Errc::aborted, fmt::format("term {} came after {}", parts_.replica.term().value(), term.value()));
  }
  co_return Result<>{};
}

Task<Result<>> ReplicaDriver::lead_alone(Term term) {
  ReplicaCore& replica = parts_.replica;
  CO_TRY(const NewTermAnswer answer, co_await new_term({term, replica.version()}));
  Membership alone = sole_voter(replica.self());
  alone.version = replica.version();
  CO_TRYV(become_leader({.term = answer.term, .membership = std::move(alone)}));
  while (replica.role() != ReplicaCore::Role::serving && !failure_) co_await changed_.wait();
  if (failure_) co_return fail(*failure_);
  co_return Result<>{};
}

// --- other nodes'

Result<> ReplicaDriver::append(NodeId from, const Append& message, std::span<const BytesView> entries) {
  if (failure_) return fail(*failure_);
  const auto count = static_cast<std::size_t>(message.last.value() - message.previous.offset.value());
  if (message.last < message.previous.offset || count != entries.size()) {
    return fail(Errc::corrupt, fmt::format("shard {}: node {} sent {} entries as {}", parts_.shard.value(), from.value(),
                                           entries.size(), count));
  }
  std::size_t bytes = 0;
  for (const BytesView entry : entries) bytes += entry.size();
  if (!parts_.log.has_room(entries.size(), bytes)) {   // it will be sent again
    return fail(Errc::resource_exhausted, fmt::format("the log has no room for {} bytes", bytes));
  }
  TRY(Effects effects, parts_.replica.append(from, message, now()));
  carry_out(effects, {message.first(), entries});
  return {};
}

void ReplicaDriver::answered(NodeId from, const AppendAnswer& answer) {
  if (failure_) return;
  carry_out(parts_.replica.answered(from, answer, now()));
  trim_cache();   // what it has acknowledged may be needed no more
}

void ReplicaDriver::hear(Term term) {
  if (!failure_) carry_out(parts_.replica.hear(term, now()));
}

void ReplicaDriver::probe(NodeId node) {
  if (!failure_) carry_out(parts_.replica.probe(node));
}

void ReplicaDriver::on_due() {
  if (!failure_) carry_out(parts_.replica.tick(now()));
  arm_tick();
}

void ReplicaDriver::arm_tick() {
  const TimePoint next = parts_.replica.next_tick();
  if (next == TimePoint::max()) return cancel();
  // Not sooner than a while: what is waited for mostly comes, and each time moves the point.
  parts_.core.timers().arm(*this, std::max(next, parts_.core.now() + tick_interval_min));
}

// --- the log

void ReplicaDriver::logged(disk::Sequence sequence) {
  if (!turn_open_) {
    logged_.push_back({sequence, parts_.replica.position()});
    turn_open_ = true;
    send_soon();   // closes it
    return;
  }
  logged_.back() = {sequence, parts_.replica.position()};
}

void ReplicaDriver::on_synced(disk::Sequence up_to) {
  std::optional<LogPosition> durable;
  while (!logged_.empty() && logged_.front().sequence <= up_to) {
    durable = logged_.front().position;
    logged_.pop_front();
  }
  if (logged_.empty()) turn_open_ = false;
  if (durable && !failure_) carry_out(parts_.replica.persisted(*durable, now()));
}

void ReplicaDriver::on_stopped(const Error& reason) { fail_with(reason); }

void ReplicaDriver::fail_with(Error reason) {
  if (failure_) return;
  note_change();
  failure_ = std::move(reason);
  // Alone it goes on answering reads: nobody else could be elected.
  if (parts_.peers != nullptr) {
    Effects effects = parts_.replica.resign(now());
    if (effects.lost_above) parts_.listener.on_lost();
    stop_snapshots();
  }
  parts_.listener.on_failed(*failure_);
  changed_.wake_all();
}

// --- effects

void ReplicaDriver::carry_out(Effects effects, Incoming incoming) {
  note_change();
  if (effects.lost_above) {
    parts_.listener.on_lost();
    stop_snapshots();
    changed_.wake_all();
  }
  if (auto done = change_log(effects, incoming); !done) return fail_with(std::move(done).error());
  if (effects.commit) {
    parts_.listener.on_committed(*effects.commit);
    apply_committed();
    if (failure_) return;
  }
  if (effects.answer && parts_.peers != nullptr) parts_.peers->send(effects.answer->to, parts_.shard, effects.answer->message);
  if (effects.fenced) {
    answer_ = effects.fenced;
    changed_.wake_all();
  }
  if (effects.propose_barrier) {
    if (auto done = propose_barrier(); !done) return fail_with(std::move(done).error());
  }
  if (effects.serving) {
    parts_.listener.on_serving();
    changed_.wake_all();
  }
  if (effects.send && parts_.peers != nullptr) send_soon();
}

Result<> ReplicaDriver::change_log(const Effects& effects, Incoming incoming) {
  if (effects.record) {
    TRY(const disk::Sequence sequence, parts_.log.record_term(parts_.shard, parts_.replica.term(), parts_.replica.version()));
    logged(sequence);
  }
  if (effects.install) TRYV(log_installation(*effects.install));
  if (effects.cut_above) {
    cache_.cut_above(*effects.cut_above);
    TRY(const disk::Sequence sequence, parts_.log.truncate(parts_.shard, *effects.cut_above));
    logged(sequence);
  }
  if (!effects.append) return {};
  const EntryRange& range = *effects.append;
  for (Offset offset = range.first; offset <= range.last; offset = offset.next()) {
    const BytesView entry = incoming.entries[static_cast<std::size_t>(offset.value() - incoming.first.value())];
    TRY(const disk::Sequence sequence, parts_.log.append(parts_.shard, range.term, offset, entry));
    cache_.append(offset, Bytes(entry));
    logged(sequence);
    if (offset != range.last) continue;
    TRY(const auto header, store::decode_entry_header(entry));
    newest_stamp_ = header.stamp;
  }
  return {};
}

Result<> ReplicaDriver::propose_barrier() {
  TRY(const Stamp stamp, next_stamp());
  store::Proposal barrier = parts_.machine.evaluate_barrier(next_offset(), stamp, parts_.replica.term());
  TRYV(propose(std::move(barrier.entry)));
  return {};
}

// --- applying

void ReplicaDriver::apply_committed() {
  ReplicaCore& replica = parts_.replica;
  if (catching_up_ || installing_ || failure_) return;
  Offset applied = replica.applied();
  while (applied < replica.commit()) {
    const Bytes* entry = cache_.find(applied.next());
    if (entry == nullptr || (!replica.leads() && !parts_.room.any())) {
      catching_up_ = true;
      tasks_.spawn(catch_up());
      break;
    }
    if (auto done = apply(applied.next(), *entry); !done) return fail_with(std::move(done).error());
    applied = applied.next();
  }
  if (applied > replica.applied()) applied_to(applied);
}

void ReplicaDriver::applied_to(Offset offset) {
  Effects effects = parts_.replica.applied(offset);
  trim_cache();
  changed_.wake_all();
  parts_.listener.on_applied_all();
  carry_out(effects);
}

Result<> ReplicaDriver::apply(Offset offset, BytesView entry) {
  TRY(const store::Applied applied, parts_.machine.apply(offset, entry));
  if (parts_.engine_health) TRYV(parts_.engine_health());   // it may not have it: tell nobody that it does
  parts_.listener.on_applied(offset, entry, applied);
  return {};
}

Task<> ReplicaDriver::catch_up() {
  auto done = co_await apply_from_log();
  catching_up_ = false;
  if (!done) {
    fail_with(std::move(done).error());
  } else {
    apply_committed();   // more may be committed meanwhile
  }
}

Task<Result<>> ReplicaDriver::apply_from_log() {
  constexpr std::size_t chunk_bytes = 4 << 20;
  ReplicaCore& replica = parts_.replica;
  while (replica.applied() < replica.commit() && !installing_) {
    while (auto full = parts_.room.refusal()) {
      // A start that can't go on says why; a follower waits until it can.
      if (parts_.peers == nullptr && parts_.room.obstructed()) co_return fail(*std::move(full));
      co_await parts_.core.sleep_for(10ms);
    }
    const Offset next = replica.applied().next();
    auto read = co_await parts_.log.read(parts_.shard, next, chunk_bytes);
    if (replica.applied().next() != next) continue;   // a snapshot came meanwhile
    CO_TRY(const auto entries, std::move(read));
    Offset applied = replica.applied();
    for (const disk::LogEntry& entry : entries) {
      if (entry.offset > replica.commit()) break;
      CO_TRYV(apply_logged(applied.next(), entry));
      applied = entry.offset;
    }
    if (applied > replica.applied()) applied_to(applied);
    if (entries.empty()) {
      co_return fail(Errc::corrupt,
                     fmt::format("the log of shard {} has no entry {}, but one after it", parts_.shard.value(), next.value()));
    }
    co_await parts_.core.yield();
  }
  co_return Result<>{};
}

Result<> ReplicaDriver::apply_logged(Offset due, const disk::LogEntry& entry) {
  if (entry.offset != due) {
    return fail(Errc::corrupt, fmt::format("the log of shard {} gave entry {} where {} was due", parts_.shard.value(),
                                           entry.offset.value(), due.value()));
  }
  if (auto done = apply(entry.offset, entry.payload); !done) {
    return fail(done.error().code, fmt::format("entry {} in the log of shard {} can't be applied: {}", entry.offset.value(),
                                               parts_.shard.value(), done.error().message()));
  }
  ++replayed_entries_;
  replayed_bytes_ += entry.payload.size();
  return {};
}

// Entries stay for followers that take part, not for those that have to be brought up from the log.
void ReplicaDriver::trim_cache() {
  Offset needed = parts_.replica.applied().next();
  for (const FollowerProgress& follower : parts_.replica.followers()) {
    if (follower.mode() == FollowerProgress::Mode::streaming) needed = std::min(needed, follower.matched().next());
  }
  cache_.trim(needed, parts_.replica.applied(), limits::follower_cache_bytes_max);
}

// --- sending

void ReplicaDriver::on_turn_end() {
  turn_open_ = false;
  if (parts_.peers == nullptr || failure_) return;
  send_to_all(false);
  if (!commit_news_.armed() && parts_.replica.owes_commit_news()) {
    parts_.core.timers().arm(commit_news_, parts_.core.now() + commit_news_delay);
  }
  arm_tick();
}

void ReplicaDriver::send_to_all(bool commit_alone) {
  if (failure_) return;
  for (std::size_t i = 0; i < parts_.replica.followers().size(); ++i) {
    send_to(parts_.replica.followers()[i].node(), commit_alone);
  }
}

void ReplicaDriver::send_to(NodeId node, bool commit_alone) {
  if (feeding_.contains(node)) return;
  while (const auto plan = parts_.replica.next_send(node, commit_alone)) {
    if (plan->kind == SendPlan::Kind::snapshot) return begin_snapshot(node);
    const Offset first = plan->previous.offset.next();
    if (plan->last >= first && cache_.find(first) == nullptr) {
      feeding_.insert(node);
      tasks_.spawn(feed(node));
      return;
    }
    views_.clear();
    std::size_t bytes = 0;
    for (Offset offset = first; offset <= plan->last; offset = offset.next()) {
      const Bytes* entry = cache_.find(offset);
      if (entry == nullptr || (bytes > 0 && bytes + entry->size() > limits::append_bytes_max)) break;
      views_.push_back(*entry);
      bytes += entry->size();
    }
    send_entries(node, *plan, bytes);
  }
}

// What stands in `views_` follows the planned previous entry.
void ReplicaDriver::send_entries(NodeId node, const SendPlan& plan, std::size_t bytes) {
  const Offset last(plan.previous.offset.value() + static_cast<std::int64_t>(views_.size()));
  note_change();
  const Append message = parts_.replica.sent(node, last, bytes, now());
  parts_.peers->send(node, parts_.shard, message, views_);
}

// Sends what is only in the log, until the rest is in memory.
Task<> ReplicaDriver::feed(NodeId node) {
  while (co_await send_from_log(node)) {}
  feeding_.erase(node);
  if (!failure_) send_soon();
}

// False when there is nothing more that only the log has, or it can't be read: then the follower's patience ends, and this comes
// again.
Task<bool> ReplicaDriver::send_from_log(NodeId node) {
  const auto wanted = parts_.replica.next_send(node);
  if (wanted && wanted->kind == SendPlan::Kind::snapshot) begin_snapshot(node);
  if (!wanted || wanted->kind == SendPlan::Kind::snapshot) co_return false;
  const Offset from = wanted->previous.offset.next();
  if (wanted->last < from || cache_.find(from) != nullptr) co_return false;
  if (bytes_in_flight(node) > feed_bytes_max) {
    co_await parts_.core.sleep_for(feed_pause);
    co_return true;
  }
  const auto entries = co_await parts_.log.read(parts_.shard, from, feed_bytes_max);
  if (!entries || entries->empty()) {
    co_await parts_.core.sleep_for(limits::append_patience);
    co_return false;
  }
  std::span<const disk::LogEntry> rest(*entries);
  while (!rest.empty()) {
    const auto plan = parts_.replica.next_send(node);   // the world may have changed
    if (plan && plan->kind == SendPlan::Kind::snapshot) begin_snapshot(node);
    if (!plan || plan->kind == SendPlan::Kind::snapshot) co_return false;
    if (plan->previous.offset.next() != rest.front().offset || plan->last < rest.front().offset) co_return true;
    const std::size_t sent = send_some(node, *plan, rest);
    if (sent == 0) co_return false;
    rest = rest.subspan(sent);
    if (parts_.core.yield_due()) co_await parts_.core.yield();
  }
  co_return true;
}

// As many as one planned message takes of what was read from the log.
std::size_t ReplicaDriver::send_some(NodeId node, const SendPlan& plan, std::span<const disk::LogEntry> entries) {
  views_.clear();
  std::size_t bytes = 0;
  for (const disk::LogEntry& entry : entries) {
    if (entry.offset > plan.last || entry.term != plan.entries_term || views_.size() == feed_entries_max) break;
    views_.push_back(entry.payload);
    bytes += entry.payload.size();
  }
  const std::size_t count = views_.size();
  if (count > 0) send_entries(node, plan, bytes);
  return count;
}

std::size_t ReplicaDriver::bytes_in_flight(NodeId node) const {
  const auto followers = parts_.replica.followers();
  const auto found = std::ranges::find(followers, node, &FollowerProgress::node);
  return found == followers.end() ? 0 : found->bytes_in_flight();
}

}   // namespace skerry::replica
