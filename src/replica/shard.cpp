// SPDX-License-Identifier: Apache-2.0
#include "replica/shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "replica/notification_hub.hpp"
#include "replica/sequence_hub.hpp"
#include "replica/session_expiry.hpp"
#include "replica/write_pipeline.hpp"
#include "runtime/core.hpp"
#include "store/entry.hpp"

namespace skerry::replica {
namespace {

constexpr std::size_t expiry_entries_a_tick = 16;   // so that a mass of silent sessions doesn't fill the pipeline

SessionId session_id(ShardId shard, Offset created_at) { return SessionId(shard.value() << 44 | created_at.value()); }

Recovered recovered_state(const disk::Log& log, ShardId shard, Offset applied) {
  const disk::LogShard logged = log.shard(shard);
  Recovered recovered{
      .term = std::max(logged.term, logged.last_term), .last = std::max(logged.last, applied), .applied = applied};
  recovered.version = logged.version;
  recovered.first = logged.first == no_offset ? recovered.last.next() : logged.first;
  std::vector<EntryId> firsts;
  for (const disk::TermStart& start : log.terms(shard)) firsts.push_back({start.term, start.first});
  if (firsts.empty()) firsts.push_back({logged.last_term, recovered.last});
  recovered.terms = TermHistory(std::move(firsts));
  return recovered;
}

// The log decides what becomes of a state that was staged when a crash came.
void settle_staged(store::ShardEngine& engine, const disk::LogShard& logged) {
  const auto staged = engine.staged();
  if (staged && logged.snapshot == *staged && engine.applied() < *staged) {
    engine.take_staged();
  } else if (staged) {
    engine.stage_anew();
  }
}

// The engine holds more than the log: never by a crash of ours, unless the log runs without syncs.
Task<Result<>> log_ends_early(disk::Log& log, disk::LogShard logged, Offset applied, ShardId id, LogBehind what) {
  if (what == LogBehind::refuse) {
    co_return fail(Errc::corrupt,
                   fmt::format("the log of shard {} ends at entry {}, but the engine's state stands for {}: the log's folder was "
                               "lost, cut or is an older copy; restore both from the same copy",
                               id.value(), logged.last.value(), applied.value()));
  }
  const Term term = std::max({logged.term, logged.last_term, Term(0)});
  CO_TRY(const disk::Sequence sequence, log.snapshot_installed(id, term, applied));
  co_return co_await log.wait_synced(sequence);
}

// Among others entries are committed, and applied, when a majority has them, this node's own disk or not: its engine may have
// made durable what its log had not when the power went. That state is committed, so it stands for its last entry, of the last
// barrier's term.
Task<Result<>> log_follows_state(disk::Log& log, store::ShardEngine& engine, ShardId id, store::KeyOrder order) {
  store::StateMachine machine(id, order, engine);
  CO_TRYV(co_await machine.open());
  if (machine.term() == no_term) {
    co_return fail(Errc::corrupt,
                   fmt::format("the engine's state of shard {} is of no term: remove the node's folder, and the node joins "
                               "anew and is filled by the others",
                               id.value()));
  }
  CO_TRY(const disk::Sequence sequence, log.snapshot_installed(id, machine.term(), engine.applied()));
  co_return co_await log.wait_synced(sequence);
}

}   // namespace

// Everything a shard is made of, in order of construction.
struct Shard::Parts final : ReplicaListener, WriteListener {
  Parts(Core& on_core, disk::Log& node_log, store::ShardEngine& shard_engine, ShardId shard_id, ShardOptions shard_options)
      : core(on_core), log(node_log), engine(shard_engine), id(shard_id), options(std::move(shard_options)),
        machine(id, options.order, engine), alone(Incarnation(1), core.clock().now()),
        replica(id, options.seat ? options.seat->self : NodeId(0), recovered_state(log, id, engine.applied()),
                options.seat ? *options.seat->leases : alone),
        uses(std::make_shared<ShardUses>(core)), expiry(core.now()),
        notifications({core, log, id, options.order, options.notification_ring_bytes}), sequences(core, machine),
        driver({.core = core,
                .log = log,
                .shard = id,
                .state = engine,
                .machine = machine,
                .replica = replica,
                .listener = *this,
                .peers = options.seat ? options.seat->peers : nullptr,
                .engine_health = options.engine_health,
                .room = EngineRoom(options.engine),
                .checkpoint = options.checkpoint,
                .changes = options.changes}),
        pipeline({core, id, machine, driver, *this, EngineRoom(options.engine)}) {
    report.durable = engine.durable();
  }

  void on_committed(Offset up_to) override { pipeline.committed(up_to); }
  void on_applied(Offset offset, BytesView entry, const store::Applied& applied) override {
    for (const auto& session : applied.sessions_created) {
      expiry.created(session.id, session.timeout, core.now());
      ++figures.sessions_created;
    }
    for (const SessionId session : applied.sessions_ended) {
      ++(expiry.decided(session) ? figures.sessions_expired : figures.sessions_closed);
      expiry.ended(session);
    }
    notifications.applied(offset, entry);
    sequences.applied(applied.sequence_prefixes);
    pipeline.applied(offset);
  }
  void on_applied_all() override {
    notifications.wake();
    pipeline.applied_all();
  }
  void on_replaced(Offset offset) override {
    notifications.replaced(offset);
    sequences.end_followers();
    expiry = SessionExpiry(core.now());
  }
  void on_serving() override {
    expiry = SessionExpiry(core.now());   // each has its whole timeout again
    for (const auto& session : machine.sessions()) expiry.created(session.id, session.timeout, core.now());
    ends_unfinished = true;   // what a leader before this one began is to be finished
    figures = {};   // what a replay created is not new
  }
  void on_lost() override {
    pipeline.lost();
    notifications.end_followers();
    sequences.end_followers();
  }
  void on_failed(const Error& reason) override { pipeline.stop_writes(reason); }
  void on_sessions_kept(const std::vector<SessionId>& sessions) override {
    expiry.retry(sessions);
    ends_unfinished = true;   // some may have ended already, with records left
  }

  Core& core;
  disk::Log& log;
  store::ShardEngine& engine;
  ShardId id;
  ShardOptions options;
  store::StateMachine machine;
  NodeLeases alone;   // of nobody: for a cluster of one
  ReplicaCore replica;
  std::shared_ptr<ShardUses> uses;
  SessionExpiry expiry;
  NotificationHub notifications;
  SequenceHub sequences;
  RecoveryReport report;
  ShardFigures figures;   // the counted ones
  bool ends_unfinished = false;
  ReplicaDriver driver;
  WritePipeline pipeline;   // last: it refers to the rest
};

Shard::Shard(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Shard::~Shard() = default;

Task<Result<std::unique_ptr<Shard>>> Shard::open(Core& core, disk::Log& log, store::ShardEngine& engine, ShardId id,
                                                 ShardOptions options) {
  const TimePoint begun = core.clock().now();
  const disk::LogShard logged = log.shard(id);
  settle_staged(engine, logged);
  if (logged.last < engine.applied() && options.seat && logged.term != no_term) {
    CO_TRYV(co_await log_follows_state(log, engine, id, options.order));
  } else if (logged.last < engine.applied()) {
    CO_TRYV(co_await log_ends_early(log, logged, engine.applied(), id, options.log_behind));
  } else if (logged.last > engine.applied() && (logged.first == no_offset || logged.first > engine.applied().next())) {
    co_return fail(
        Errc::corrupt,
        fmt::format("the log of shard {} holds entries only after {}, but the engine's state stands for {}: the folder "
                    "of the engine was lost or is an older copy; restore both from the same copy",
                    id.value(), (logged.first == no_offset ? logged.last : logged.first.previous()).value(),
                    engine.applied().value()));
  }
  auto parts = std::make_unique<Parts>(core, log, engine, id, std::move(options));
  CO_TRYV(co_await parts->machine.open());
  CO_TRYV(co_await parts->driver.open());
  if (parts->options.seat) co_return std::unique_ptr<Shard>(new Shard(std::move(parts)));
  // The engine knows of a term that a lost log forgot.
  const Term term = std::max({parts->replica.term(), parts->machine.term(), parts->options.term_above}).next();
  CO_TRYV(co_await parts->driver.lead_alone(term));
  RecoveryReport& report = parts->report;
  report.term = term;
  report.barrier = parts->replica.barrier();
  report.replayed_entries = parts->driver.replayed_entries();
  report.replayed_bytes = parts->driver.replayed_bytes();
  report.took = core.clock().now() - begun;
  co_return std::unique_ptr<Shard>(new Shard(std::move(parts)));
}

// --- writes

Ticket Shard::propose(const store::WriteRequest& request, const std::optional<store::RequestId>& id) {
  parts_->figures.puts += request.puts.size();
  parts_->figures.deletes += request.deletes.size();
  parts_->figures.delete_ranges += request.delete_ranges.size();
  return parts_->pipeline.propose(request, id);
}

bool Shard::has_room() const { return parts_->pipeline.has_room(); }
Task<> Shard::wait_for_room() { return parts_->pipeline.wait_for_room(); }

Task<Result<store::WriteOutcome>> Shard::write(store::WriteRequest request, std::optional<store::RequestId> id,
                                               WriteStages* stages) {
  if (!has_room()) co_await wait_for_room();
  const TimePoint proposed = stages != nullptr ? parts_->core.clock().now() : TimePoint();
  Ticket ticket = propose(request, id);
  if (stages != nullptr) ticket.trace(proposed, parts_->core.clock());
  co_await ticket.wait();
  if (stages != nullptr) *stages = *ticket.stages();
  co_return ticket.take();
}

// --- sessions

Task<Result<SessionId>> Shard::create_session(std::chrono::milliseconds timeout, Bytes client_identity,
                                              std::optional<SessionId> given) {
  if (timeout < limits::session_timeout_min || timeout > limits::session_timeout_max) {
    co_return fail(ShardError::invalid_session_timeout,
                   fmt::format("a session timeout of {} ms is not within {} to {} ms", timeout.count(),
                               std::chrono::milliseconds(limits::session_timeout_min).count(),
                               std::chrono::milliseconds(limits::session_timeout_max).count()));
  }
  if (!has_room()) co_await wait_for_room();
  Ticket ticket = parts_->pipeline.propose(CreateSession{timeout, std::move(client_identity), given});
  co_await ticket.wait();
  CO_TRYV(ticket.take());
  co_return given.value_or(session_id(parts_->id, ticket.offset()));
}

Result<> Shard::keep_alive(SessionId session) {
  if (parts_->expiry.heartbeat(session, parts_->core.now())) return {};
  return fail(ShardError::session_not_found, fmt::format("shard {} has no session {}", parts_->id.value(), session.value()));
}

Task<Result<>> Shard::close_session(SessionId session) {
  if (!parts_->machine.session_exists(session)) {
    co_return fail(ShardError::session_not_found, fmt::format("shard {} has no session {}", parts_->id.value(), session.value()));
  }
  if (!has_room()) co_await wait_for_room();
  Ticket ticket = parts_->pipeline.propose(EndSessions{{session}});
  co_await ticket.wait();
  CO_TRYV(ticket.take());
  co_return Result<>{};
}

void Shard::expire_sessions() {
  constexpr std::size_t batch = limits::sessions_expired_at_once_max;
  Parts& parts = *parts_;
  if (!serves()) return;
  if (std::exchange(parts.ends_unfinished, false)) {
    if (auto ending = parts.machine.sessions_ending(); !ending.empty()) parts.pipeline.propose(EndSessions{std::move(ending)});
  }
  const auto silent = parts.expiry.tick(parts.core.now(), batch * expiry_entries_a_tick);
  for (std::size_t at = 0; at < silent.size(); at += batch) {
    const auto first = silent.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(batch, silent.size() - at));
    parts.pipeline.propose(EndSessions{{first, first + count}});
  }
}

void Shard::expire_records() {
  const Stamp now = Stamp::at(parts_->core.clock().wall());
  if (parts_->machine.expiry_due(now)) parts_->pipeline.propose_expiry();
}

void Shard::sweep() {
  const Stamp now = Stamp::at(parts_->core.clock().wall());
  if (parts_->machine.sweep_due(now)) parts_->pipeline.propose_sweep();
}

// --- reads

std::optional<Result<store::GetOutcome>> Shard::try_get(const store::Get& get) {
  ++parts_->figures.gets;
  if (auto checked = parts_->machine.check(get); !checked) return fail(std::move(checked).error());
  auto answer = parts_->machine.get(get);
  if (auto* outcome = std::get_if<store::GetOutcome>(&answer)) return std::move(*outcome);
  if (auto* error = std::get_if<Error>(&answer)) return fail(std::move(*error));
  return std::nullopt;
}

void Shard::expect(std::span<const BytesView> keys) { parts_->machine.expect(keys); }

bool Shard::try_find(BytesView key, BytesView& record) {
  const store::Get get{key, store::Comparison::equal, true, {}};
  if (!parts_->machine.check(get) || parts_->machine.find(key, record) != store::Lookup::value) return false;
  ++parts_->figures.gets;
  return true;
}

Task<Result<store::GetOutcome>> Shard::get(store::Get get) {
  ++parts_->figures.gets;
  CO_TRYV(parts_->machine.check(get));
  for (;;) {
    auto answer = parts_->machine.get(get);
    if (auto* outcome = std::get_if<store::GetOutcome>(&answer)) co_return std::move(*outcome);
    if (auto* error = std::get_if<Error>(&answer)) co_return fail(std::move(*error));
    CO_TRYV(co_await parts_->machine.load(std::get<store::Needs>(std::move(answer))));
  }
}

Task<Result<>> Shard::warm(std::span<const store::Get> gets) {
  store::Needs cold;
  for (const store::Get& get : gets) {
    if (!parts_->machine.check(get)) continue;   // the get itself will say so
    auto answer = parts_->machine.get(get);
    auto* needs = std::get_if<store::Needs>(&answer);
    if (needs == nullptr) continue;
    cold.insert(cold.end(), std::make_move_iterator(needs->begin()), std::make_move_iterator(needs->end()));
  }
  if (cold.empty()) co_return Result<>{};
  co_return co_await parts_->machine.load(std::move(cold));
}

Result<std::unique_ptr<store::Scan>> Shard::scan(store::Range range, store::StateMachine::ScanKind kind) {
  TRYV(parts_->machine.check(range));
  ++(kind == store::StateMachine::ScanKind::keys ? parts_->figures.lists : parts_->figures.range_scans);
  return parts_->machine.scan(std::move(range), kind);
}

Task<Result<std::unique_ptr<store::SnapshotSource>>> Shard::snapshot() { co_return co_await parts_->driver.snapshot(); }

// --- followers

Result<std::unique_ptr<NotificationFollower>> Shard::follow(std::optional<Offset> start_exclusive, NotificationWishes wishes) {
  if (!parts_->options.notifications) {
    return fail(ShardError::notifications_disabled, "notifications are switched off for this namespace");
  }
  return parts_->notifications.follow(start_exclusive, std::move(wishes));
}

Result<std::unique_ptr<SequenceFollower>> Shard::follow_sequence(Bytes prefix) {
  ++parts_->figures.sequence_follows;
  return parts_->sequences.follow(std::move(prefix));
}

// --- of replicas

bool Shard::serves() const { return parts_->driver.serves(); }
std::optional<NodeId> Shard::leader() const { return parts_->replica.leader(); }

Task<Result<NewTermAnswer>> Shard::new_term(NewTerm asked) { co_return co_await parts_->driver.new_term(asked); }
Result<> Shard::become_leader(BecomeLeader told) { return parts_->driver.become_leader(std::move(told)); }
Result<bool> Shard::change_members(ChangeMembers told) { return parts_->driver.change_members(std::move(told)); }

Task<Result<EntryId>> Shard::seal(Term term) {
  const auto leads = [&] { return parts_->replica.term() == term && serves(); };
  const auto refuse = [&] {
    return fail(ShardError::not_leader, fmt::format("this node does not lead shard {} in term {}", id().value(), term.value()));
  };
  if (!leads()) co_return refuse();
  parts_->pipeline.seal(parts_->core.now() + seal_patience);
  if (parts_->options.changes != nullptr) ++*parts_->options.changes;
  co_await parts_->pipeline.wait_answered();
  if (!leads()) co_return refuse();
  const EntryId last = parts_->replica.head();
  if (parts_->machine.applied() != last.offset) co_return fail(Errc::unavailable, "not everything is applied yet");
  co_return last;
}

Result<> Shard::unseal(Term term) {
  if (parts_->replica.term() != term || !parts_->replica.leads()) {
    return fail(ShardError::not_leader, fmt::format("this node does not lead shard {} in term {}", id().value(), term.value()));
  }
  parts_->pipeline.unseal();
  if (parts_->options.changes != nullptr) ++*parts_->options.changes;
  return {};
}

Task<Result<>> Shard::vouched(EntryId last) { co_return co_await parts_->driver.vouched(last); }

Result<> Shard::append(NodeId from, const Append& message, std::span<const BytesView> entries) {
  return parts_->driver.append(from, message, entries);
}

void Shard::answered(NodeId from, const AppendAnswer& answer) { parts_->driver.answered(from, answer); }
void Shard::hear(Term term) { parts_->driver.hear(term); }
void Shard::probe(NodeId node) { parts_->driver.probe(node); }

ReplicaStatus Shard::status() const {
  const ReplicaCore& replica = parts_->replica;
  ReplicaStatus status{.role = replica.role(),
                       .term = replica.term(),
                       .version = replica.version(),
                       .confirmed = replica.confirmed_version(),
                       .head = replica.head(),
                       .commit = replica.commit(),
                       .applied = parts_->machine.applied(),
                       .durable = parts_->engine.durable(),
                       .leader = replica.leader(),
                       .followers = {},
                       .failure = parts_->driver.failure(),
                       .sealed = parts_->pipeline.sealed()};
  for (const FollowerProgress& each : replica.followers()) {
    status.followers.push_back({each.node(), each.mode(), each.matched()});
  }
  return status;
}

std::uint64_t Shard::approximate_bytes() const { return parts_->engine.approximate_bytes(); }

Task<Result<>> Shard::receive_snapshot(NodeId from, SnapshotHeader header, Bytes head, ArrivingSnapshot& blocks) {
  co_return co_await parts_->driver.receive_snapshot(from, header, std::move(head), blocks);
}

// --- for the group

std::optional<Offset> Shard::wanted_after_snapshots() const { return parts_->driver.wanted_after_snapshots(); }
ShardId Shard::id() const { return parts_->id; }
store::KeyOrder Shard::key_order() const { return parts_->options.order; }
Term Shard::term() const { return parts_->replica.term(); }
Offset Shard::commit() const { return parts_->replica.commit(); }
Offset Shard::durable() const { return parts_->engine.durable(); }
const RecoveryReport& Shard::recovery() const { return parts_->report; }

ShardFigures Shard::figures() const {
  ShardFigures figures = parts_->figures;
  const WritePipeline& pipeline = parts_->pipeline;
  figures.head = parts_->replica.last();
  figures.commit = parts_->replica.commit();
  figures.sessions = parts_->expiry.size();
  figures.followers = parts_->notifications.followers() + parts_->sequences.followers();
  figures.entries_in_flight = pipeline.in_flight();
  figures.bytes_in_flight = pipeline.bytes_in_flight();
  figures.queued = pipeline.queued();
  figures.notifications_read = parts_->notifications.notifications_read();
  figures.notification_batches_read = parts_->notifications.batches_read();
  figures.entries_logged = parts_->driver.entries_logged();
  figures.bytes_logged = parts_->driver.bytes_logged();
  return figures;
}

Task<Result<Offset>> Shard::last_before(WallTime cutoff) {
  Parts& parts = *parts_;
  const disk::LogShard logged = parts.log.shard(parts.id);
  if (logged.first == no_offset) co_return no_offset;
  // Invariant: entries up to `before` are older than the cutoff, entries from `after` on are not (or are not committed).
  Offset before = logged.first.previous(), after = commit().next();
  while (before.next() < after) {
    // The first probe is the oldest entry: mostly nothing is due.
    const std::int64_t gap = after.value() - before.value();
    const Offset probe(before < logged.first ? logged.first.value() : before.value() + gap / 2);
    CO_TRY(const auto entries, co_await parts.log.read(parts.id, probe, 1));
    if (entries.empty()) break;
    CO_TRY(const auto header, store::decode_entry_header(entries.front().payload));
    (header.stamp < Stamp::at(cutoff) ? before : after) = probe;
  }
  co_return before < logged.first ? no_offset : before;
}

void Shard::trimmed(Offset first_kept) { parts_->replica.trimmed(first_kept); }

void Shard::allow_followers(bool allowed) {
  parts_->options.notifications = allowed;
  if (!allowed) parts_->notifications.end_followers();
}

ShardUse Shard::use() { return {*this, parts_->uses}; }

bool Shard::in_use() const { return parts_->uses->any(); }

const std::shared_ptr<ShardUses>& Shard::uses() const { return parts_->uses; }

void Shard::room_changed() { parts_->pipeline.room_changed(); }

void Shard::stop_writes(Error reason) { parts_->driver.fail_with(std::move(reason)); }

Task<> Shard::stop() {
  parts_->notifications.stop();
  parts_->sequences.stop();
  parts_->uses->close();
  co_await parts_->pipeline.stop(stop_patience);
  co_await parts_->driver.stop();
}

}   // namespace skerry::replica
