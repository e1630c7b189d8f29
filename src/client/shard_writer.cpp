// SPDX-License-Identifier: Apache-2.0
#include "client/shard_writer.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "client/alarm.hpp"

namespace skerry::client {
namespace {

// How long a leader that has been replaced gets to end its stream by itself: it knows better than we what became of the writes.
// Those with ids are answered as well by the one that leads now.
constexpr auto deposed_leader_grace = 250ms, deposed_leader_grace_with_ids = 20ms;

Error unknown_outcome(const Error& cause) {
  return {ClientErrc::outcome_unknown,
          fmt::format("outcome unknown: the write was sent and may or may not have taken effect ({}); read the record before "
                      "repeating it",
                      cause.message())};
}

}  // namespace

ShardWriter::ShardWriter(Cluster& cluster, TaskScope& tasks, BatchRouter& router, ShardId shard)
    : cluster_(cluster), tasks_(tasks), router_(router), shard_(shard),
      backoff_(cluster.options().retry_pause_min, cluster.options().retry_pause_max), changed_(cluster.core()) {}

void ShardWriter::submit(WriteOperationPtr operation) {
  queue_.push(std::move(operation));
  changed_.notify_all();
}

void ShardWriter::adopt(std::shared_ptr<WriteBatch> batch) {
  batch->request.set_shard(shard_.value());
  again_.push_back(std::move(batch));
  changed_.notify_all();
}

Task<> ShardWriter::run() {
  for (;;) {
    while (!queue_.has_work() && again_.empty()) co_await changed_.wait();
    const auto channel = co_await cluster_.leader(shard_, cluster_.core().now() + cluster_.options().retry_pause_max);
    if (!channel) {
      // Without a leader the operations wait on: each has its own deadline.
      if (channel.error() == ClientErrc::shard_moved) {
        move_on();
        if (!again_.empty()) co_await cluster_.pause(cluster_.options().retry_pause_max, no_deadline);
      } else if (channel.error() != Errc::deadline_exceeded) {
        bounce_all(channel.error());
      }
      continue;
    }
    co_await serve_stream(**channel);
  }
}

Task<> ShardWriter::serve_stream(rpc::Channel& channel) {
  rpc::CallOptions options = cluster_.call_options(no_deadline);
  options.metadata.add("namespace", cluster_.options().name_space);
  options.metadata.add("shard-id", std::to_string(shard_.value()));
  address_ = cluster_.leader_address(shard_);
  uses_v1_ = cluster_.may_offer_v1(address_);
  if (!uses_v1_) refuse_unsupported();
  auto opened = co_await channel.open(uses_v1_ ? v1_method("WriteStream") : method("WriteStream"), std::move(options));
  verdict_.reset();
  broken_ = false;
  if (!opened) {
    recover(judge(opened.error()));
  } else {
    call_ = std::move(*opened);
    silence_.emplace(cluster_, address_);
    helpers_ = 2;
    tasks_.spawn(receive_answers());
    tasks_.spawn(watch_leader(cluster_.leader_address(shard_)));
    co_await send_batches();
    while (helpers_ > 0) co_await changed_.wait();
    silence_.reset();
    call_.reset();
    recover(*verdict_);
  }
  if (fall_back(*verdict_)) co_return;   // and try again at once
  const bool again = verdict_->action == Verdict::Action::reroute && !again_.empty();   // it is not known yet where it went
  if (verdict_->action == Verdict::Action::retry || again)
    co_await cluster_.pause(backoff_.next(cluster_.core().random()), no_deadline);
}

bool ShardWriter::can_send() {
  while (!again_.empty() && again_.front()->settled()) again_.pop_front();
  if (broken_ || (again_.empty() && !queue_.has_work())) return false;
  if (in_flight_.empty()) return true;
  const bool next_is_alone = again_.empty() ? queue_.next_is_alone() : again_.front()->alone;
  return in_flight_.size() < cluster_.options().batches_in_flight_max && !in_flight_.back()->alone && !next_is_alone;
}

std::shared_ptr<WriteBatch> ShardWriter::next_batch() {
  if (!again_.empty()) {
    auto batch = std::move(again_.front());
    again_.pop_front();
    return batch;
  }
  const BatchLimits limits{cluster_.options().batch_operations_max, cluster_.options().batch_bytes_max};
  auto batch = std::make_shared<WriteBatch>(queue_.take(limits));
  batch->request.set_shard(shard_.value());
  if (uses_v1_) {
    batch->request.mutable_request_id()->set_client(fmt::format("{}/{}", cluster_.request_client(), shard_.value()));
    batch->request.mutable_request_id()->set_sequence(next_sequence_++);
    batch->first_sent = cluster_.core().now();
  }
  return batch;
}

// Oxia's service would leave out what it does not know.
void ShardWriter::refuse_unsupported() {
  std::vector<WriteOperationPtr> kept;
  for (WriteOperationPtr& operation : queue_.take_all()) {
    if (operation->needs_store_v1()) {
      operation->settle(
          fail(Errc::unsupported, fmt::format("{} offers no times to live: it speaks Oxia's protocol only", address_)));
    } else {
      kept.push_back(std::move(operation));
    }
  }
  queue_.push_front(std::move(kept));
}

Task<> ShardWriter::send_batches() {
  while (!broken_) {
    if (!can_send()) {
      co_await changed_.wait();
      continue;
    }
    co_await cluster_.core().yield();   // whoever is ready to submit in this turn shares the batch
    if (!uses_v1_) refuse_unsupported();
    if (!can_send()) continue;
    const std::shared_ptr<WriteBatch> batch = next_batch();
    batch->mark_sent();
    in_flight_.push_back(batch);
    silence_->asked();
    const Result<> written = co_await call_->write(batch->request);
    if (!written) end_stream(judge(written.error()));
  }
}

Task<> ShardWriter::receive_answers() {
  v1::WriteResponse answer;
  for (;;) {
    const auto more = co_await call_->read(answer);
    if (!more || !*more) break;
    take_answer(answer);
    if (broken_) break;
    answer.Clear();
  }
  Verdict verdict = judge(co_await call_->finish());
  end_stream(std::move(verdict));
  --helpers_;
  changed_.notify_all();
}

void ShardWriter::take_answer(v1::WriteResponse& answer) {
  if (in_flight_.empty()) {
    call_->cancel();
    return end_stream(judge(Error{Errc::internal, "the server answered a write that was not sent"}));
  }
  in_flight_.front()->trust_answer();
  if (const auto answered = in_flight_.front()->answer(answer); !answered) {
    call_->cancel();
    return end_stream({Verdict::Action::give_up, true, std::nullopt, {}, answered.error()});
  }
  in_flight_.pop_front();
  silence_->heard(!in_flight_.empty());
  backoff_.reset();
  changed_.notify_all();
}

// Gives a stream up whose server is no longer the leader and has not noticed, as one that hangs.
Task<> ShardWriter::watch_leader(std::string address) {
  Core& core = cluster_.core();
  while (!broken_) {
    const std::string now = cluster_.leader_address(shard_);
    const bool deposed = now != address && !(now.empty() && cluster_.has_shard(shard_));
    if (deposed) {
      const TimePoint until = core.now() + (uses_v1_ ? deposed_leader_grace_with_ids : deposed_leader_grace);
      while (!broken_ && core.now() < until) {
        const Alarm alarm(core, changed_, until);
        co_await changed_.wait();
      }
      if (!broken_) call_->cancel();
      break;
    }
    co_await cluster_.changed().wait();
  }
  --helpers_;
  changed_.notify_all();
}

void ShardWriter::end_stream(Verdict verdict) {
  // The status of the call says more than a failed write; what was decided here on bad answers says more than both.
  if (!verdict_ || verdict_->action == Verdict::Action::retry) verdict_ = std::move(verdict);
  broken_ = true;
  changed_.notify_all();
  cluster_.changed().notify_all();   // watch_leader waits there
}

// Sorts what was in flight into what is sent again and what ends here.
void ShardWriter::recover(Verdict verdict) {
  cluster_.learn(verdict);
  if (verdict.error == Errc::unavailable) cluster_.lost(address_);
  if (uses_v1_ && verdict.error == Errc::unsupported) verdict = {Verdict::Action::retry, false, std::nullopt, {}, verdict.error};
  const bool nothing_sent = in_flight_.empty();
  // A server that fails for no stated reason has not judged what it never saw.
  if (nothing_sent && verdict.maybe_applied) verdict.action = Verdict::Action::retry;
  std::vector<WriteOperationPtr> again;
  std::deque<std::shared_ptr<WriteBatch>> kept;
  for (const auto& batch : in_flight_) {
    if (keeps(*batch, verdict)) {
      batch->maybe_applied = batch->maybe_applied || verdict.maybe_applied;
      kept.push_back(batch);
    } else {
      recover_batch(*batch, verdict, again);
    }
    // The verdict is about the oldest batch. What a server did with those behind it, it does not say; unless it could do nothing.
    if (verdict.action == Verdict::Action::give_up) verdict.maybe_applied = true;
  }
  in_flight_.clear();
  again_.insert(again_.begin(), kept.begin(), kept.end());
  queue_.push_front(std::move(again));
  if (verdict.action == Verdict::Action::reroute) bounce_queue(Error{ClientErrc::shard_moved, {}});
  if (verdict.action == Verdict::Action::give_up && nothing_sent) bounce_all(verdict.error);
  verdict_ = std::move(verdict);
}

// Whether it may be sent again as it is: the server will answer what it answered the first time.
bool ShardWriter::keeps(const WriteBatch& batch, const Verdict& verdict) const {
  if (!uses_v1_ || !batch.has_id() || verdict.error == Errc::unsupported) return false;
  if (cluster_.core().now() - batch.first_sent > id_age_max) return false;
  const bool oldest = &batch == in_flight_.front().get();
  if (verdict.action == Verdict::Action::retry || verdict.action == Verdict::Action::reroute) return true;
  return verdict.action == Verdict::Action::give_up && !oldest;
}

// The server does not know skerry.store.v1. What waits to be sent again under an id may have been done by a server that did.
bool ShardWriter::fall_back(const Verdict& verdict) {
  if (!uses_v1_ || verdict.error != Errc::unsupported) return false;
  cluster_.found_plain(address_);
  std::vector<WriteOperationPtr> operations;
  for (const auto& batch : std::exchange(again_, {})) {
    for (WriteOperationPtr& operation : batch->take_back()) {
      if (operation->settled()) continue;
      operation->maybe_applied = true;
      if (operation->repeatable()) {
        operations.push_back(std::move(operation));
      } else {
        operation->settle(fail(unknown_outcome(verdict.error)));
      }
    }
  }
  queue_.push_front(std::move(operations));
  return true;
}

void ShardWriter::recover_batch(WriteBatch& batch, const Verdict& verdict, std::vector<WriteOperationPtr>& again) {
  const bool oldest = &batch == in_flight_.front().get();
  const bool blame = verdict.action == Verdict::Action::give_up && oldest;
  // One bad operation has spoilt the batch: each is asked alone, so that only the bad one is refused.
  const bool split = blame && batch.size() > 1 && !verdict.maybe_applied &&
                     (verdict.error == Errc::invalid_argument || verdict.error == Errc::resource_exhausted);
  for (WriteOperationPtr& operation : batch.take_back()) {
    if (operation->settled()) continue;
    operation->maybe_applied = operation->maybe_applied || verdict.maybe_applied;
    if (operation->maybe_applied && !operation->repeatable()) {
      operation->settle(fail(unknown_outcome(verdict.error)));
    } else if (blame && !split) {
      operation->settle(fail(verdict.error));
    } else {
      operation->alone = operation->alone || split;
      operation->sent = operation->maybe_applied;
      again.push_back(std::move(operation));
    }
  }
}

void ShardWriter::bounce_all(const Error& error) {
  for (const auto& batch : std::exchange(again_, {}))
    for (WriteOperationPtr& operation : batch->take_back())
      if (!operation->settled()) operation->settle(fail(unknown_outcome(error)));
  bounce_queue(error);
}

void ShardWriter::bounce_queue(const Error& error) {
  for (WriteOperationPtr& operation : queue_.take_all()) operation->settle(fail(error));
}

// The shard is no more: what may have been done goes on under its id, everything else is routed anew.
void ShardWriter::move_on() {
  std::deque<std::shared_ptr<WriteBatch>> waiting;
  for (auto& batch : std::exchange(again_, {})) {
    if (batch->settled()) continue;
    const auto handed = waiting.empty() ? router_.hand_on(batch) : BatchRouter::Handed::not_yet;   // their order stays
    if (handed == BatchRouter::Handed::not_yet) waiting.push_back(std::move(batch));
    else if (handed == BatchRouter::Handed::to_several) scatter(*batch);
  }
  again_ = std::move(waiting);
  if (again_.empty()) bounce_queue(Error{ClientErrc::shard_moved, {}});
}

// No shard would know the whole of it by its id.
void ShardWriter::scatter(WriteBatch& batch) {
  const Error moved{ClientErrc::shard_moved, "the shard was split"};
  for (WriteOperationPtr& operation : batch.take_back()) {
    if (operation->settled()) continue;
    operation->sent = operation->maybe_applied = operation->maybe_applied || batch.maybe_applied;
    operation->settle(fail(operation->maybe_applied && !operation->repeatable() ? unknown_outcome(moved) : moved));
  }
}

}   // namespace skerry::client
