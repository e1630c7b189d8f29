// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/member.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace skerry::sim {

using namespace control;

namespace {

std::shared_ptr<const Bytes> payload_of(std::uint64_t value) {
  Bytes bytes;
  append_little_endian(bytes, value);
  return std::make_shared<const Bytes>(std::move(bytes));
}
std::uint64_t value_of(const Bytes& bytes) { return bytes.empty() ? 0 : ByteReader(bytes).little_endian<std::uint64_t>(); }
SimEntry as_seen(const RaftEntry& entry) { return {entry.term, value_of(*entry.payload)}; }

}  // namespace

RaftSimMember::RaftSimMember(RaftSurroundings& around, RaftMember self, int clock_error_ppm)
    : around_(around), self_(self), clock_error_ppm_(clock_error_ppm),
      clock_began_(Duration(around.random.below(1'000'000'000))) {}

// --- life and time

void RaftSimMember::boot() {
  ++life_;
  running_ = true;
  syncing_ = false;
  sync_max_ = 500us;
  paused_until_ = {};
  proposed_.clear();
  tick_armed_ = TimePoint::max();
  auto recovered = durable_.recovered();
  if (!recovered) {
    around_.oracle.fail("log and snapshot don't belong together");
    return;
  }
  durable_.log = recovered->log;
  applied_ = durable_.snapshot;
  state_ = durable_.state;
  const RaftSeat seat{.self = self_,
                      .members = around_.plan.members,
                      .timing = {.snapshot_patience = 400ms},
                      .message_entries_max = around_.plan.message_entries_max,
                      .seed = around_.random.next()};
  core_ = std::make_unique<RaftCore>(seat, *std::move(recovered), now());
  core_->stand();
  arm_tick();
}

// Of what was not synced a beginning is kept, and files that were being written may be there before that.
void RaftSimMember::crash() {
  running_ = false;
  const std::size_t kept = around_.random.below(unsynced_.size() + 1);
  for (std::size_t at = 0; at < kept; ++at) write_to(durable_, unsynced_[at]);
  for (std::size_t at = kept; at < unsynced_.size() && around_.random.chance(0.5); ++at) write_file_to(durable_, unsynced_[at]);
  unsynced_.clear();
}

TimePoint RaftSimMember::now() const {
  const Duration passed = around_.schedule.now().time_since_epoch();
  return TimePoint(clock_began_ + passed + passed * clock_error_ppm_ / 1'000'000);
}

Duration RaftSimMember::in_true_time(Duration local) const {
  return local - local * clock_error_ppm_ / (1'000'000 + clock_error_ppm_) + 1ns;
}

void RaftSimMember::later(Duration length, std::function<void()> what) {
  around_.schedule.after(length, [this, life = life_, happens = std::move(what)] { when_running(life, happens); });
}

void RaftSimMember::when_running(std::uint64_t life, const std::function<void()>& what) {
  if (!running_ || life != life_) return;
  if (responds()) return what();
  around_.schedule.at(paused_until_, [this, life, what] { when_running(life, what); });
}

void RaftSimMember::arm_tick() {
  const TimePoint next = core_->next_tick();
  if (next >= tick_armed_) return;
  tick_armed_ = next;
  later(std::max(Duration(), in_true_time(std::min(next - now(), Duration(1h)))), [this] {
    tick_armed_ = TimePoint::max();
    carry_out(core_->tick(now()));
  });
}

// --- its disk

void RaftSimMember::log(decltype(RaftRecord::what) what) {
  unsynced_.push_back({std::move(what), core_->position()});
  begin_sync();
}

void RaftSimMember::begin_sync() {
  if (syncing_) return;
  syncing_ = true;
  // What this turn still logs is in the batch too.
  later(0ns, [this] {
    const Duration length = 30us + Duration(around_.random.below(static_cast<std::uint64_t>(sync_max_.count())));
    later(length, [this, records = unsynced_.size()] { end_sync(records); });
  });
}

void RaftSimMember::end_sync(std::size_t records) {
  const RaftPosition reached = unsynced_[records - 1].position;
  std::optional<Offset> first_kept;
  for (std::size_t at = 0; at < records; ++at) {
    write_to(durable_, unsynced_[at]);
    if (const auto* snapshot = std::get_if<RaftRecord::Snapshot>(&unsynced_[at].what)) first_kept = snapshot->first_kept;
  }
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<std::ptrdiff_t>(records));
  syncing_ = false;
  if (!unsynced_.empty()) begin_sync();
  if (first_kept) {
    core_->drop_before(*first_kept);
    log(RaftRecord::Trim{*first_kept});
  }
  carry_out(core_->persisted(reached, now()));
}

void RaftSimMember::snapshot() {
  if (!responds() || applied_.offset <= durable_.snapshot.offset) return;
  const Offset first_kept(
      std::max<std::int64_t>(0, applied_.offset.value() + 1 - static_cast<std::int64_t>(around_.random.below(20))));
  log(RaftRecord::Snapshot{applied_, state_, first_kept});
}

// --- carrying out

void RaftSimMember::carry_out(const Effects& effects) {
  if (effects.lost) proposed_.clear();
  change_log(effects);
  if (effects.commit) apply(*effects.commit);
  for (const auto& each : effects.send) {
    around_.network.send({self_, each.to, each.message});
    const auto* vote = std::get_if<RaftVoteAnswer>(&each.message);
    if (vote != nullptr && vote->granted && around_.random.chance(0.5)) around_.may_crash(self_, 400us);
  }
  check_leadership();
  if (effects.office) read();
  if (effects.flush) flush();
  arm_tick();
}

void RaftSimMember::change_log(const Effects& effects) {
  if (effects.record) log(RaftRecord::Begin{core_->term()});
  if (effects.install) {
    if (effects.install->offset < applied_.offset) around_.oracle.fail("a snapshot takes a state back");
    applied_ = *effects.install;
    state_ = arriving_;
    around_.oracle.check_state(the_log, applied_.offset, state_);
    log(RaftRecord::Install{applied_, state_});
  }
  if (effects.cut_above) {
    if (*effects.cut_above < applied_.offset) around_.oracle.fail("an applied entry is cut");
    log(RaftRecord::Cut{*effects.cut_above});
  }
  if (!effects.append_from) return;
  for (Offset at = *effects.append_from; at <= core_->log().last(); at = at.next()) {
    log(RaftRecord::Append{core_->log().at(at)});
    unsynced_.back().position.last = at;
  }
}

void RaftSimMember::apply(Offset up_to) {
  while (applied_.offset < up_to) {
    const Offset offset = applied_.offset.next();
    if (!core_->log().holds(offset)) return around_.oracle.fail("a committed entry is not in the log");
    const SimEntry entry = as_seen(core_->log().at(offset));
    around_.oracle.committed(the_log, offset, entry, core_->term());
    applied_ = {entry.term, offset};
    state_ = chain(state_, entry);
    const auto waiting = proposed_.find(offset);
    if (waiting == proposed_.end()) continue;
    if (waiting->second == core_->term() && core_->leads()) around_.oracle.acknowledged(the_log, offset);
    proposed_.erase(waiting);
  }
}

// A term has one leader, and it knows what was committed before.
void RaftSimMember::check_leadership() {
  if (!core_->leads()) return;
  const auto [known, first] = around_.leaders.emplace(core_->term(), self_);
  if (known->second != self_) return around_.oracle.fail(fmt::format("two lead in term {}", core_->term().value()));
  if (!first) return;
  around_.oracle.check_leader(the_log, core_->term(), [this](Offset offset) -> std::optional<SimEntry> {
    const RaftLog& entries = core_->log();
    if (offset < entries.first()) return SimEntry{no_term, 0};
    return entries.holds(offset) ? std::optional(as_seen(entries.at(offset))) : std::nullopt;
  });
  around_.may_fall_silent(self_);
  if (around_.random.chance(0.3)) around_.may_crash(self_, 5ms);
}

void RaftSimMember::flush() {
  for (auto& each : core_->appends(now())) {
    if (auto* snapshot = std::get_if<RaftSnapshot>(&each.message)) {
      if (snapshot->entry != applied_) around_.oracle.fail("a snapshot is sent of what is not applied");
      snapshot->state = payload_of(state_);
    }
    around_.network.send({self_, each.to, std::move(each.message)});
  }
}

// --- what happens at it

void RaftSimMember::receive(const RaftSent& message) {
  if (!running_) return;
  when_running(life_, [this, message] {
    if (const auto* snapshot = std::get_if<RaftSnapshot>(&message.content)) arriving_ = value_of(*snapshot->state);
    const auto effects = core_->receive(message.from, message.content, now());
    if (!effects) return around_.oracle.fail(effects.error().message());
    carry_out(*effects);
    const bool begins = core_->leads() && core_->commit() < core_->barrier();
    if (begins && std::holds_alternative<RaftAppendAnswer>(message.content) && around_.random.chance(0.2))
      around_.may_crash(self_, 2ms);
  });
}

void RaftSimMember::write(std::uint64_t value) {
  if (!in_office() || proposed_.size() > 500) return;
  const Effects effects = core_->propose(payload_of(value));
  proposed_[core_->log().last()] = core_->term();
  carry_out(effects);
}

void RaftSimMember::read() {
  if (in_office()) around_.oracle.read(the_log, applied_.offset, state_);
}

void RaftSimMember::check_belief_in(const RaftSimMember& follower) {
  if (!running_ || !core_->leads() || follower.durable_.term > core_->term()) return;
  for (const RaftPeer& each : core_->peers()) {
    if (each.member != follower.self_ || each.match < core_->log().base().offset || each.match == no_offset) continue;
    if (follower.holds_durably({*core_->log().term_of(each.match), each.match})) continue;
    around_.oracle.fail(fmt::format("the leader of term {} takes entry {} for stored by {}, and it is not", core_->term().value(),
                                    each.match.value(), each.member.value()));
  }
}

bool RaftSimMember::holds_durably(const EntryId& entry) const {
  return durable_.snapshot.offset >= entry.offset || durable_.log.base().offset >= entry.offset || durable_.log.has(entry);
}

void RaftSimMember::resign() {
  if (responds()) carry_out(core_->resign(now()));
}

void RaftSimMember::sit_for(Duration length) {
  if (!responds()) return;
  core_->sit();
  later(length, [this] {
    core_->stand();
    arm_tick();
  });
}

}  // namespace skerry::sim
