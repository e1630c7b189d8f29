// SPDX-License-Identifier: Apache-2.0
#include "client/shard_reader.hpp"

#include <algorithm>

#include "client/silence_watch.hpp"

namespace skerry::client {
namespace {

Deadline latest_deadline(const std::vector<ReadOperationPtr>& batch) {
  Deadline latest = TimePoint::min();
  for (const ReadOperationPtr& operation : batch) latest = std::max(latest, operation->deadline());
  return latest;
}

void settle_from(const std::vector<ReadOperationPtr>& batch, std::size_t first, const Error& error) {
  for (std::size_t i = first; i < batch.size(); ++i) batch[i]->settle(fail(error));
}

}  // namespace

ShardReader::ShardReader(Cluster& cluster, TaskScope& tasks, ShardId shard)
    : cluster_(cluster), tasks_(tasks), shard_(shard), changed_(cluster.core()) {}

void ShardReader::submit(ReadOperationPtr operation) {
  queue_.push_back(std::move(operation));
  changed_.notify_all();
}

Task<> ShardReader::run() {
  for (;;) {
    while (queue_.empty() || in_flight_ >= cluster_.options().batches_in_flight_max) co_await changed_.wait();
    co_await cluster_.core().yield();   // whoever is ready to submit in this turn shares the batch
    Batch batch = take();
    if (batch.empty()) continue;
    ++in_flight_;
    tasks_.spawn(read_batch(std::move(batch)));
  }
}

ShardReader::Batch ShardReader::take() {
  Batch batch;
  while (!queue_.empty() && batch.size() < cluster_.options().batch_operations_max) {
    if (!queue_.front()->settled()) batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

Task<> ShardReader::read_batch(Batch batch) {
  Backoff backoff(cluster_.options().retry_pause_min, cluster_.options().retry_pause_max);
  const Deadline deadline = latest_deadline(batch);
  for (std::size_t answered = 0; answered < batch.size();) {
    const auto channel = co_await cluster_.leader(shard_, deadline);
    if (!channel) {
      settle_from(batch, answered, channel.error());
      break;
    }
    const std::size_t before = answered;
    const Verdict verdict = co_await attempt(**channel, batch, answered);
    if (answered == batch.size()) break;
    cluster_.learn(verdict);
    if (verdict.action != Verdict::Action::retry || cluster_.core().now() >= deadline) {
      settle_from(batch, answered,
                  verdict.action == Verdict::Action::reroute ? Error{ClientErrc::shard_moved, {}} : verdict.error);
      break;
    }
    if (answered > before) backoff.reset();
    co_await cluster_.pause(backoff.next(cluster_.core().random()), deadline);
  }
  --in_flight_;
  changed_.notify_all();
}

Task<Verdict> ShardReader::attempt(rpc::Channel& channel, Batch& batch, std::size_t& answered) {
  pb::ReadRequest request;
  request.set_shard(shard_.value());
  for (std::size_t i = answered; i < batch.size(); ++i) *request.add_gets() = batch[i]->request;
  const std::string address = cluster_.leader_address(shard_);
  auto opened = co_await channel.open(method("Read"), cluster_.call_options(latest_deadline(batch)));
  if (!opened) co_return judge(opened.error());
  rpc::ClientCall& call = **opened;
  SilenceWatch silence(cluster_, address, [&] {
    const std::string now = cluster_.leader_address(shard_);
    if (!now.empty() && now != address) call.cancel();   // it has been replaced, and hangs
  });
  silence.asked();
  if (co_await call.write(request)) static_cast<void>(co_await call.finish_writing());
  pb::ReadResponse answer;
  for (;;) {
    const auto more = co_await call.read(answer);
    if (!more || !*more) break;
    silence.heard(true);
    for (pb::GetResponse& get : *answer.mutable_gets()) {
      if (answered == batch.size()) {
        call.cancel();
        co_return Verdict{Verdict::Action::give_up,
                          false,
                          std::nullopt,
                          {},
                          Error{Errc::internal, "the server answered more gets than were asked"}};
      }
      batch[answered++]->settle(std::move(get));
    }
  }
  co_return judge(co_await call.finish());
}

}  // namespace skerry::client
