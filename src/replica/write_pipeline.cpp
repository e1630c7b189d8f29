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

WritePipeline::WritePipeline(Parts parts) : parts_(parts), room_(parts_.core), idle_(parts_.core), tasks_(parts_.core) {}

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
  if (stopping_) {
    return Error{make_error_code(ShardError::not_serving),
                 fmt::format("not applied: shard {} is stopping", parts_.shard.value())};
  }
  if (!parts_.replica.serves() || sealed()) return not_leading("not applied: ");
  if (auto full = parts_.room.refusal()) return full;
  if (!has_room()) {
    return Error{make_error_code(Errc::resource_exhausted),
                 fmt::format("not applied: shard {} has {} requests with {} bytes in flight; wait for answers",
                             parts_.shard.value(), queue_.size() + in_flight_.size(), bytes_)};
  }
  return std::nullopt;
}

Error WritePipeline::not_leading(const char* outcome) const {
  return {make_error_code(ShardError::not_leader),
          fmt::format("{}this node does not lead shard {} now; ask the one that does", outcome, parts_.shard.value())};
}

bool WritePipeline::has_room() const {
  if (!parts_.room.any()) return false;
  return queue_.size() + in_flight_.size() < limits::shard_entries_in_flight_max && bytes_ < limits::shard_bytes_in_flight_max;
}

Task<> WritePipeline::wait_for_room() {
  // A full engine that can't write its tables says so to who asks; everything else is worth waiting for.
  while (!has_room() && !stopped_ && !stopping_ && (parts_.room.any() || !parts_.room.obstructed())) co_await room_.wait();
}

void WritePipeline::room_changed() {
  if (has_room() || parts_.room.obstructed()) room_.wake_all();
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
    // Writes may stop, and others begin, while it waits here; what comes then belongs to the front of before.
    const std::shared_ptr<PendingAnswer> front = queue_.front().pending;
    const auto overtaken = [&] { return queue_.empty() || queue_.front().pending != front; };
    store::Evaluation evaluation = evaluate(queue_.front().request);
    if (auto* needs = std::get_if<store::Needs>(&evaluation)) {
      auto loaded = co_await parts_.machine.load(std::move(*needs));
      if (loaded || overtaken()) continue;
      evaluation = std::move(loaded).error();
    }
    if (is_part(evaluation)) {
      auto committed = co_await commit_part(std::move(evaluation));
      if (committed || overtaken()) continue;
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

store::Evaluation WritePipeline::evaluate_write(const store::WriteRequest& request, const std::optional<store::RequestId>& id) {
  const auto stamp = parts_.replica.next_stamp();
  if (!stamp) return stamp.error();
  return parts_.machine.evaluate(request, parts_.replica.next_offset(), *stamp, id);
}

store::Evaluation WritePipeline::evaluate(const Request& request) {
  if (const auto* write = std::get_if<Write>(&request)) return evaluate_write(write->request->view(), write->id);
  const auto stamp = parts_.replica.next_stamp();
  if (!stamp) return stamp.error();
  const Offset offset = parts_.replica.next_offset();
  if (const auto* create = std::get_if<CreateSession>(&request)) {
    return parts_.machine.evaluate_create_session(create->timeout, create->client_identity, offset, *stamp, create->given);
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
    item.answer = std::move(proposal.outcome);
    if (!proposal.entry.empty()) {
      if (auto logged = log_entry(item, std::move(proposal.entry)); !logged) item.answer = fail(std::move(logged).error());
    }
  }
  if (!*item.answer) keep_sessions(std::exchange(item.ending, {}));
  bytes_ += item.bytes;
  in_flight_.push_back(std::move(item));
  answer_ready();   // if there is nothing before it to wait for
}

Result<> WritePipeline::log_entry(InFlight& item, Bytes entry) {
  const std::size_t size = entry.size();
  // Evaluation keeps entries below limits::entry_bytes_max, but a full disk shows only here.
  const auto offset = parts_.replica.propose(std::move(entry));
  if (!offset) {
    overlay_stale_ = true;
    const Error& reason = offset.error();
    if (reason == make_error_code(Errc::resource_exhausted)) return fail(reason.code, "not applied: " + reason.message());
    return fail(not_applied(reason));
  }
  item.offset = *offset;
  item.bytes += size;
  if (item.pending) item.pending->offset = *offset;
  reached(item, &WriteStages::logged);
  return {};
}

// --- commit, apply, answer

void WritePipeline::committed(Offset up_to) {
  for (const InFlight& item : in_flight_) {
    if (item.offset > up_to) break;
    if (item.offset != no_offset) reached(item, &WriteStages::committed);
  }
}

void WritePipeline::applied(Offset offset) {
  if (in_flight_.empty() || in_flight_.front().offset != offset) return;   // none of a client of this term
  finish_front();
  answer_ready();
}

void WritePipeline::applied_all() {
  if (in_flight_.empty()) {
    if (std::exchange(overlay_stale_, false)) parts_.machine.drop_overlay();
    idle_.wake_all();
  }
  if (has_room()) room_.wake_all();
}

void WritePipeline::answer_ready() {
  const bool any = !in_flight_.empty() && in_flight_.front().offset == no_offset;
  while (!in_flight_.empty() && in_flight_.front().offset == no_offset) finish_front();
  if (any) applied_all();
}

void WritePipeline::finish_front() {
  InFlight& item = in_flight_.front();
  bytes_ -= item.bytes;
  if (item.offset != no_offset) reached(item, &WriteStages::applied);
  if (item.pending) answer(item.pending, *std::move(item.answer));
  in_flight_.pop_front();
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

void WritePipeline::lost() {
  unseal();
  const Error unknown = not_leading("it is unknown whether this was applied: ");
  fail_unfinished({make_error_code(ShardError::outcome_unknown), unknown.message()}, not_leading("not applied: "));
  drop_all();
}

void WritePipeline::stop_writes(Error reason) {
  if (stopped_) return;
  stopped_ = std::move(reason);
  fail_unfinished(unknown_outcome(*stopped_), not_applied(*stopped_));
  drop_all();
}

void WritePipeline::drop_all() {
  parts_.machine.drop_overlay();
  overlay_stale_ = false;
  idle_.wake_all();
  room_.wake_all();
}

void WritePipeline::fail_unfinished(const Error& logged, const Error& waiting) {
  for (InFlight& item : in_flight_) {
    keep_sessions(item.ending);
    if (item.pending) answer(item.pending, fail(item.offset != no_offset ? logged : waiting));
  }
  for (Queued& queued : queue_) {
    keep_sessions(ended_by(queued.request));
    answer(queued.pending, fail(waiting));
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

}  // namespace skerry::replica
