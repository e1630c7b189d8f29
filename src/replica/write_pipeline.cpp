// SPDX-License-Identifier: Apache-2.0
#include "replica/write_pipeline.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "replica/shard_error.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"

namespace skerry::replica {
namespace {

Error not_applied(const Error& reason) {
  return {make_error_code(ShardError::log_stopped), "not applied, writes have stopped: " + reason.message()};
}
Error unknown_outcome(const Error& reason) {
  return {make_error_code(ShardError::outcome_unknown),
          "it is unknown whether this was applied, writes have stopped: " + reason.message()};
}

// Whether the same request must be evaluated again after this.
bool is_part(const store::Evaluation& evaluation) {
  const auto* proposal = std::get_if<store::Proposal>(&evaluation);
  return proposal != nullptr && proposal->more;
}

std::vector<SessionId> ended_by(const auto& request) {
  const auto* end = std::get_if<EndSessions>(&request);
  return end == nullptr ? std::vector<SessionId>{} : end->sessions;
}

}  // namespace

WritePipeline::WritePipeline(Parts parts)
    : parts_(std::move(parts)), stamps_(parts_.core.clock().wall(), parts_.core.clock().now()), room_(parts_.core),
      idle_(parts_.core), tasks_(parts_.core) {
  parts_.log.add_listener(*this);
}

WritePipeline::~WritePipeline() { parts_.log.remove_listener(*this); }

// --- proposals

Ticket WritePipeline::propose(const store::WriteRequest& request, const std::optional<store::RequestId>& id) {
  auto pending = std::make_shared<PendingAnswer>(parts_.core);
  const std::size_t bytes = request_bytes(request);
  std::optional<Error> refused = refusal();
  if (!refused) {
    if (auto checked = parts_.machine.check(request); !checked) refused = std::move(checked).error();
  }
  if (refused) {
    answer(pending, fail(*std::move(refused)));
    return Ticket(std::move(pending));
  }
  if (!must_queue()) {
    store::Evaluation evaluation = evaluate_write(request, id);
    if (!std::holds_alternative<store::Needs>(evaluation)) {
      accept(std::move(evaluation), pending, bytes, {});
      return Ticket(std::move(pending));
    }
  }
  return wait_in_queue(Write{std::make_unique<OwnedRequest>(request), id}, std::move(pending), bytes);
}

Ticket WritePipeline::propose(CreateSession request) {
  auto pending = std::make_shared<PendingAnswer>(parts_.core);
  const std::size_t bytes = request.client_identity.size();
  std::optional<Error> refused = refusal();
  if (!refused) {
    auto checked = store::StateMachine::check_session(request.timeout, request.client_identity);
    if (!checked) refused = std::move(checked).error();
  }
  if (refused) {
    answer(pending, fail(*std::move(refused)));
    return Ticket(std::move(pending));
  }
  return evaluate_or_queue(std::move(request), std::move(pending), bytes);
}

void WritePipeline::propose_sweep() {
  if (refusal() || sweeping_ || !queue_.empty()) return;   // there is a next time
  sweeping_ = true;
  tasks_.spawn(sweep(evaluate_or_queue(Sweep{}, std::make_shared<PendingAnswer>(parts_.core), 0)));
}

Task<> WritePipeline::sweep(Ticket ticket) {
  co_await ticket.wait();
  sweeping_ = false;
}

// From the queue, as the ends of sessions: it may take many entries.
void WritePipeline::propose_expiry() {
  if (refusal() || expiring_) return;
  expiring_ = true;
  tasks_.spawn(expire(wait_in_queue(Expiry{}, std::make_shared<PendingAnswer>(parts_.core), 0)));
}

Task<> WritePipeline::expire(Ticket ticket) {
  co_await ticket.wait();
  expiring_ = false;
}

Ticket WritePipeline::propose(EndSessions request) {
  auto pending = std::make_shared<PendingAnswer>(parts_.core);
  if (auto refused = refusal()) {
    keep_sessions(request.sessions);
    answer(pending, fail(*std::move(refused)));
    return Ticket(std::move(pending));
  }
  // Always from the queue: there, the many entries of large sessions leave room for others.
  return wait_in_queue(std::move(request), std::move(pending), 0);
}

std::optional<Error> WritePipeline::refusal() const {
  if (stopped_) return not_applied(*stopped_);
  if (stopping_ || parts_.replica.role() != ReplicaCore::Role::serving) {
    return Error{make_error_code(ShardError::not_serving),
                 fmt::format("not applied: shard {} is {}", parts_.shard.value(), stopping_ ? "stopping" : "not open yet")};
  }
  if (auto full = engine_is_full()) return full;
  if (!has_room()) {
    return Error{make_error_code(Errc::resource_exhausted),
                 fmt::format("not applied: shard {} has {} requests with {} bytes in flight; wait for answers",
                             parts_.shard.value(), queue_.size() + in_flight_.size(), bytes_)};
  }
  return std::nullopt;
}

std::optional<Error> WritePipeline::engine_is_full() const {
  if (parts_.engine == nullptr || parts_.engine->has_room()) return std::nullopt;
  const std::optional<Error> obstacle = parts_.engine->obstacle();
  return Error{
      make_error_code(Errc::resource_exhausted),
      fmt::format("not applied: memory is full of what is not on disk yet; {}", obstacle ? obstacle->message() : "try again")};
}

bool WritePipeline::has_room() const {
  if (parts_.engine != nullptr && !parts_.engine->has_room()) return false;
  return queue_.size() + in_flight_.size() < limits::shard_entries_in_flight_max && bytes_ < limits::shard_bytes_in_flight_max;
}

Task<> WritePipeline::wait_for_room() {
  // A full engine that can't write its tables says so to who asks; everything else is worth waiting for.
  while (!has_room() && !stopped_ && !stopping_ && !(engine_is_full() && obstructed())) co_await room_.wait();
}

void WritePipeline::room_changed() {
  if (has_room() || obstructed()) room_.wake_all();
}

Ticket WritePipeline::evaluate_or_queue(Request request, std::shared_ptr<PendingAnswer> pending, std::size_t bytes) {
  if (!must_queue()) {
    store::Evaluation evaluation = evaluate(request);
    if (!std::holds_alternative<store::Needs>(evaluation)) {
      accept(std::move(evaluation), pending, bytes, {});
      return Ticket(std::move(pending));
    }
  }
  return wait_in_queue(std::move(request), std::move(pending), bytes);
}

Ticket WritePipeline::wait_in_queue(Request request, std::shared_ptr<PendingAnswer> pending, std::size_t bytes) {
  bytes_ += bytes;
  queue_.push_back({std::move(request), pending, bytes});
  if (!draining_) {
    draining_ = true;
    tasks_.spawn(drain_queue());
  }
  return Ticket(std::move(pending));
}

// Evaluates what waits, oldest first, loading what is cold.
Task<> WritePipeline::drain_queue() {
  while (!queue_.empty()) {
    if (overlay_stale_) {
      co_await idle_.wait();   // until the last entry in flight is applied
      continue;
    }
    store::Evaluation evaluation = evaluate(queue_.front().request);
    if (auto* needs = std::get_if<store::Needs>(&evaluation)) {
      auto loaded = co_await parts_.machine.load(std::move(*needs));
      if (queue_.empty()) break;      // writes have stopped meanwhile
      if (loaded) continue;
      evaluation = std::move(loaded).error();
    }
    if (is_part(evaluation)) {
      auto committed = co_await commit_part(std::move(evaluation));
      if (queue_.empty()) break;
      if (committed) continue;
      evaluation = std::move(committed).error();   // the rest would fare no better: the whole request is refused
    }
    Queued next = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= next.bytes;
    accept(std::move(evaluation), std::move(next.pending), next.bytes, ended_by(next.request));
    if (parts_.core.yield_due()) co_await parts_.core.yield();
  }
  draining_ = false;
  if (in_flight_.empty()) idle_.wake_all();
}

// Until a part is applied the next one would walk over all that it erased.
Task<Result<>> WritePipeline::commit_part(store::Evaluation part) {
  auto pending = std::make_shared<PendingAnswer>(parts_.core);
  Ticket committed(pending);
  accept(std::move(part), std::move(pending), 0, {});
  co_await committed.wait();
  CO_TRYV(committed.take());
  co_return Result<>{};
}

// --- evaluation

Result<Stamp> WritePipeline::next_stamp() {
  const Clock& clock = parts_.core.clock();
  return stamps_.next(parts_.machine.last_stamp(), clock.wall(), clock.now());
}

store::Evaluation WritePipeline::evaluate_write(const store::WriteRequest& request, const std::optional<store::RequestId>& id) {
  const auto stamp = next_stamp();
  if (!stamp) return stamp.error();
  return parts_.machine.evaluate(request, parts_.replica.last().next(), *stamp, id);
}

store::Evaluation WritePipeline::evaluate(const Request& request) {
  if (const auto* write = std::get_if<Write>(&request)) return evaluate_write(write->request->view(), write->id);
  const auto stamp = next_stamp();
  if (!stamp) return stamp.error();
  const Offset offset = parts_.replica.last().next();
  if (const auto* create = std::get_if<CreateSession>(&request)) {
    return parts_.machine.evaluate_create_session(create->timeout, create->client_identity, offset, *stamp);
  }
  if (std::holds_alternative<Sweep>(request)) return parts_.machine.evaluate_sweep(offset, *stamp);
  if (std::holds_alternative<Expiry>(request)) return parts_.machine.evaluate_expire(offset, *stamp);
  return parts_.machine.evaluate_end_sessions(std::get<EndSessions>(request).sessions, offset, *stamp);
}

void WritePipeline::accept(store::Evaluation evaluation, std::shared_ptr<PendingAnswer> pending, std::size_t bytes,
                           std::vector<SessionId> ending) {
  InFlight item;
  item.pending = std::move(pending);
  item.ending = std::move(ending);
  item.bytes = bytes;
  if (auto* error = std::get_if<Error>(&evaluation)) {
    item.answer = fail(std::move(*error));
  } else {
    auto& proposal = std::get<store::Proposal>(evaluation);
    item.entry = std::move(proposal.entry);
    item.answer = std::move(proposal.outcome);
    if (!item.entry.empty()) {
      if (auto logged = log_entry(item); !logged) item.answer = fail(std::move(logged).error());
    }
  }
  if (!*item.answer) keep_sessions(std::exchange(item.ending, {}));
  bytes_ += item.bytes;
  in_flight_.push_back(std::move(item));
  if (in_flight_.front().offset == no_offset) apply_committed();   // nothing before it to wait for
}

Result<> WritePipeline::log_entry(InFlight& item) {
  const Offset offset = parts_.replica.last().next();
  const std::size_t size = item.entry.size();
  // Evaluation keeps entries below limits::entry_bytes_max, but a full disk shows only here.
  auto appended = parts_.log.append(parts_.shard, parts_.replica.term(), offset, item.entry);
  if (!appended) {
    overlay_stale_ = true;
    item.entry.clear();
    const Error& reason = appended.error();
    if (reason == make_error_code(Errc::resource_exhausted)) return fail(reason.code, "not applied: " + reason.message());
    return fail(not_applied(reason));
  }
  SKERRY_ASSERT(parts_.replica.propose().offset == offset);
  item.offset = offset;
  item.sequence = *appended;
  item.bytes += size;
  if (item.pending) item.pending->offset = offset;
  reached(item, &WriteStages::logged);
  ++entries_logged_;
  bytes_logged_ += size;
  return {};
}

// --- commit, apply, answer

void WritePipeline::on_synced(disk::Sequence up_to) {
  Offset durable = no_offset;
  for (const InFlight& item : in_flight_) {
    if (item.offset == no_offset) continue;
    if (item.sequence > up_to) break;
    durable = item.offset;
  }
  if (durable == no_offset) return;
  LogPosition position = parts_.replica.position();
  position.last = durable;
  if (parts_.replica.persisted(position, parts_.core.clock().now()).commit) apply_committed();
}

void WritePipeline::apply_committed() {
  bool applied_any = false;
  std::optional<Error> broken;
  while (!in_flight_.empty()) {
    InFlight& item = in_flight_.front();
    if (item.offset != no_offset) {
      if (item.offset > parts_.replica.commit()) break;
      reached(item, &WriteStages::committed);
      auto applied = apply(item.offset, item.entry);
      if (!applied) {
        SKERRY_ASSERT(applied.error() != make_error_code(Errc::corrupt));   // what evaluation made can be applied
        broken = std::move(applied).error();
        break;
      }
      applied_any = true;
    }
    finish(item);
    in_flight_.pop_front();
  }
  if (applied_any) parts_.listener.on_applied_all();
  if (broken) return stop_writes(*std::move(broken));
  if (in_flight_.empty()) {
    if (overlay_stale_) {
      parts_.machine.drop_overlay();
      overlay_stale_ = false;
    }
    idle_.wake_all();
  }
  if (has_room()) room_.wake_all();
}

Result<> WritePipeline::apply(Offset offset, BytesView entry) {
  TRY(const store::Applied applied, parts_.machine.apply(offset, entry));
  if (parts_.engine_health) TRYV(parts_.engine_health());   // it may not have it: tell nobody that it does
  parts_.listener.on_applied(offset, entry, applied);
  if (parts_.replica.applied(offset).serving) parts_.listener.on_serving();
  return {};
}

void WritePipeline::finish(InFlight& item) {
  bytes_ -= item.bytes;
  if (item.offset != no_offset) reached(item, &WriteStages::applied);
  if (item.pending) answer(item.pending, *std::move(item.answer));
}

void WritePipeline::reached(const InFlight& item, WriteStages::Reached WriteStages::* stage) const {
  if (item.pending && item.pending->stages) [[unlikely]]
    item.pending->stages.get()->*stage = parts_.core.clock().now();
}

void WritePipeline::answer(const std::shared_ptr<PendingAnswer>& pending, Result<store::WriteOutcome> outcome) {
  pending->answer = std::move(outcome);
  pending->waiters.wake_all();
}

// --- the end

void WritePipeline::on_stopped(const Error& reason) { stop_writes(reason); }

void WritePipeline::stop_writes(Error reason) {
  if (stopped_) return;
  stopped_ = std::move(reason);
  fail_unfinished(*stopped_);
  parts_.machine.drop_overlay();
  overlay_stale_ = false;
  idle_.wake_all();
  room_.wake_all();
}

void WritePipeline::fail_unfinished(const Error& reason) {
  for (InFlight& item : in_flight_) {
    const bool logged = item.offset != no_offset;
    keep_sessions(item.ending);
    if (item.pending) answer(item.pending, fail(logged ? unknown_outcome(reason) : not_applied(reason)));
  }
  for (Queued& waiting : queue_) {
    keep_sessions(ended_by(waiting.request));
    answer(waiting.pending, fail(not_applied(reason)));
  }
  in_flight_.clear();
  queue_.clear();
  bytes_ = 0;
}

void WritePipeline::keep_sessions(const std::vector<SessionId>& sessions) {
  if (!sessions.empty()) parts_.listener.on_sessions_kept(sessions);
}

Task<> WritePipeline::stop(Duration patience) {
  stopping_ = true;
  room_.wake_all();
  co_await run_until(parts_.core, wait_answered(), parts_.core.now() + patience);
  if (!queue_.empty() || !in_flight_.empty()) {
    stop_writes({make_error_code(Errc::deadline_exceeded),
                 fmt::format("the shard was stopped while its log did not take what was written for {} s",
                             std::chrono::floor<std::chrono::seconds>(patience).count())});
  }
  co_await tasks_.cancel_and_join();
}

Task<> WritePipeline::wait_answered() {
  while (!queue_.empty() || !in_flight_.empty()) co_await idle_.wait();
}

// --- the start of a term

// A cluster of one: this node is the coordinator, the only voter and the leader.
Task<Result<>> WritePipeline::lead(Term term) {
  ReplicaCore& replica = parts_.replica;
  CO_TRY(Effects effects, replica.new_term({term, replica.version()}, parts_.core.clock().now()));
  SKERRY_ASSERT(effects.record);
  CO_TRY(const disk::Sequence sequence, parts_.log.record_term(parts_.shard, term));
  const LogPosition position = replica.position();
  CO_TRYV(co_await parts_.log.wait_synced(sequence));
  replica.persisted(position, parts_.core.clock().now());
  Membership alone = sole_voter(replica.self());
  alone.version = replica.version();
  CO_TRY(effects, replica.become_leader({.term = term, .membership = std::move(alone)}, parts_.core.clock().now()));
  co_return co_await carry_out(std::move(effects));
}

Task<Result<>> WritePipeline::carry_out(Effects effects) {
  if (effects.commit) {
    CO_TRYV(co_await replay());
    effects = parts_.replica.applied(parts_.replica.applied());
  }
  if (effects.propose_barrier) {
    CO_TRY(const Stamp stamp, next_stamp());
    auto barrier = parts_.machine.evaluate_barrier(parts_.replica.last().next(), stamp, parts_.replica.term());
    auto pending = std::make_shared<PendingAnswer>(parts_.core);
    Ticket committed(pending);
    accept(std::move(barrier), std::move(pending), 0, {});
    co_await committed.wait();
    if (auto outcome = committed.take(); !outcome) co_return fail(std::move(outcome).error());
  }
  co_return Result<>{};
}

Task<Result<>> WritePipeline::replay() {
  constexpr std::size_t chunk_bytes = 4 << 20;
  while (parts_.replica.applied() < parts_.replica.commit()) {
    const Offset next = parts_.replica.applied().next();
    CO_TRY(const auto entries, co_await parts_.log.read(parts_.shard, next, chunk_bytes));
    for (const disk::LogEntry& entry : entries) {
      if (entry.offset != parts_.replica.applied().next() || entry.offset > parts_.replica.commit()) {
        co_return fail(Errc::corrupt, fmt::format("the log of shard {} gave entry {} where {} was due", parts_.shard.value(),
                                                  entry.offset.value(), parts_.replica.applied().next().value()));
      }
      if (auto applied = apply(entry.offset, entry.payload); !applied) {
        co_return fail(applied.error().code, fmt::format("entry {} in the log of shard {} can't be applied: {}",
                                                         entry.offset.value(), parts_.shard.value(), applied.error().message()));
      }
      ++replayed_entries_;
      replayed_bytes_ += entry.payload.size();
    }
    while (auto full = engine_is_full()) {
      if (obstructed()) co_return fail(*std::move(full));
      co_await parts_.core.sleep_for(10ms);
    }
    if (entries.empty()) {
      co_return fail(Errc::corrupt,
                     fmt::format("the log of shard {} has no entry {}, but one after it", parts_.shard.value(), next.value()));
    }
    co_await parts_.core.yield();
  }
  co_return Result<>{};
}

}  // namespace skerry::replica
