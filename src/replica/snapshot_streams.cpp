// SPDX-License-Identifier: Apache-2.0
#include "replica/snapshot_streams.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "replica/link_messages.hpp"
#include "runtime/core.hpp"

namespace skerry::replica {

SnapshotStreams::SnapshotStreams(Core& core, ShardGroup& group, Call call)
    : core_(core), group_(group), call_(std::move(call)), turns_(core, limits::snapshots_sent_at_once_max) {}

// --- sending

struct SnapshotStreams::Attempt {
  ShardId shard;
  SnapshotHeader header;
  Bytes head;   // the block
  store::SnapshotSource& source;
  bool refused = false;   // the replica there says no: another attempt would fare no better
  std::uint64_t taken = 0;   // blocks, as far as the other said
};

Task<Result<>> SnapshotStreams::send(NodeId to, SnapshotSender sender) {
  CO_TRY(SemaphoreUnits turn, co_await turns_.acquire());
  CO_TRY(const auto source, co_await sender.open());
  CO_TRY(auto head, co_await source->next());
  Attempt all{.shard = sender.shard,
              .header = {sender.term, sender.version, {source->head().term, source->head().offset}},
              .head = *std::move(head),
              .source = *source};
  TimePoint patient_until = core_.now() + limits::snapshot_patience;
  for (;;) {
    const std::uint64_t taken = all.taken;
    auto sent = co_await attempt(to, all);
    if (sent || all.refused) co_return sent;
    if (all.taken > taken) patient_until = core_.now() + limits::snapshot_patience;
    if (core_.now() >= patient_until) co_return sent;
    turn = {};   // nobody waits for one that can't be reached
    co_await core_.sleep_for(limits::node_reconnect_pause);
    CO_TRY(turn, co_await turns_.acquire());
  }
}

// From where the other stands to the end, or until the call breaks.
Task<Result<>> SnapshotStreams::attempt(NodeId to, Attempt& attempt) {
  CO_TRY(const auto call, co_await call_(to));
  wire::SnapshotRequest request;
  wire::SnapshotAnswer answer;
  const auto ended = [&attempt](rpc::Status status) -> Result<> {
    attempt.refused = status.code != rpc::Code::unavailable && status.code != rpc::Code::cancelled && !status.ok();
    return fail(status.ok() ? Error{make_error_code(Errc::unavailable), "the snapshot's receiver said nothing"} : status.error());
  };
  write(attempt.header, attempt.shard, attempt.head, *request.mutable_offer());
  CO_TRYV(co_await call->write(request));
  CO_TRY(bool answered, co_await call->read(answer));
  if (!answered) co_return ended(co_await call->finish());
  if (answer.has_go_on()) {
    attempt.source.go_on(replica::read(answer.go_on()));
    attempt.taken = answer.go_on().blocks();
    for (;;) {
      CO_TRY(auto block, co_await attempt.source.next());
      if (!block) break;
      co_await pace(block->size());
      request.set_block(*std::move(block));
      if (!co_await call->write(request)) break;   // it has no need of more, or the call is broken: the answer tells
    }
    CO_TRY(answered, co_await call->read(answer));
    if (!answered) co_return ended(co_await call->finish());
  }
  if (!answer.installed()) co_return fail(Errc::unavailable, "the snapshot's receiver made no sense");
  co_return Result<>{};
}

Task<> SnapshotStreams::pace(std::size_t bytes) {
  const TimePoint begins = std::max(free_at_, core_.now());
  free_at_ = begins + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
                          static_cast<double>(bytes) / static_cast<double>(limits::snapshot_bytes_per_second_max)));
  co_await core_.sleep_until(begins);
}

// --- receiving

class SnapshotStreams::Arriving final : public ArrivingSnapshot {
 public:
  Arriving(rpc::Requests<v1::SnapshotRequest>& requests, rpc::Replies<v1::SnapshotAnswer>& replies)
      : requests_(requests), replies_(replies) {}

  Task<Result<>> go_on(store::SnapshotPlace from) override {
    wire::SnapshotAnswer answer;
    write(from, *answer.mutable_go_on());
    co_return co_await replies_.write(answer);
  }
  Task<Result<Bytes>> next() override {
    CO_TRY(const bool more, co_await requests_.next(request_));
    if (!more || !request_.has_block()) co_return fail(Errc::unavailable, "the snapshot ended early");
    co_return std::move(*request_.mutable_block());
  }

 private:
  rpc::Requests<v1::SnapshotRequest>& requests_;
  rpc::Replies<v1::SnapshotAnswer>& replies_;
  wire::SnapshotRequest request_;
};

Task<rpc::Status> SnapshotStreams::receive(NodeId from, rpc::Requests<v1::SnapshotRequest>& requests,
                                           rpc::Replies<v1::SnapshotAnswer>& replies) {
  wire::SnapshotRequest request;
  const auto more = co_await requests.next(request);
  if (!more) co_return rpc::Status::from(more.error());
  if (!*more || !request.has_offer()) co_return rpc::Status(rpc::Code::invalid_argument, "a snapshot begins with an offer", {});
  const auto header = replica::read(request.offer());
  if (!header) co_return rpc::Status::from(header.error());
  const ShardId id(request.offer().shard());
  Shard* const found = group_.find(id);
  if (found == nullptr) co_return rpc::Status(rpc::Code::not_found, fmt::format("shard {} is not here", id.value()), {});
  const ShardUse shard = found->use();
  Arriving blocks(requests, replies);
  const auto taken = co_await shard->receive_snapshot(from, *header, std::move(*request.mutable_offer()->mutable_head()), blocks);
  if (!taken) co_return rpc::Status::from(taken.error());
  wire::SnapshotAnswer answer;
  answer.set_installed(true);
  const auto told = co_await replies.write(answer);
  co_return told ? rpc::Status() : rpc::Status::from(told.error());
}

}   // namespace skerry::replica
