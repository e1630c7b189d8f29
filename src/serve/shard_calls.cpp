// SPDX-License-Identifier: Apache-2.0
#include "serve/shard_calls.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "serve/chunk_parts.hpp"
#include "serve/convert.hpp"
#include "serve/oxia_error.hpp"
#include "serve/plain_messages.hpp"

namespace skerry::serve {
namespace {

using store::StateMachine;

class ListChunks final : public Chunks<proto::ListResponse> {
 public:
  ListChunks(Core& core, std::unique_ptr<store::Scan> scan) : core_(core), scan_(std::move(scan)) {}

  Task<Result<bool>> next(proto::ListResponse& reply) override {
    reply.clear_keys();
    CO_TRYV(co_await walk([&reply](BytesView key) { reply.add_keys(key.data(), key.size()); }));
    co_return reply.keys_size() > 0;
  }

  bool encodes() const override { return true; }
  Task<Result<std::optional<BytesView>>> next_encoded() override {
    encoded_.clear();
    CO_TRYV(co_await walk([this](BytesView key) { append_listed_key(encoded_, key); }));
    co_return encoded_.empty() ? std::nullopt : std::optional<BytesView>(encoded_);
  }

 private:
  // Adds what fits into one message.
  template <class Add>
  Task<Result<>> walk(Add add) {
    Budget budget;
    for (;; scan_->next()) {
      if (unsettled(*scan_)) CO_TRYV(co_await settle(core_, *scan_));
      if (scan_->state() == store::Scan::State::end || !budget.takes(scan_->key().size())) co_return Result<>{};
      add(scan_->key());
      if (core_.yield_due()) co_await core_.yield();
    }
  }

  Core& core_;
  std::unique_ptr<store::Scan> scan_;
  Bytes encoded_;
};

class ScanChunks final : public Chunks<proto::RangeScanResponse> {
 public:
  ScanChunks(Core& core, std::unique_ptr<store::Scan> scan) : core_(core), scan_(std::move(scan)) {}

  Task<Result<bool>> next(proto::RangeScanResponse& reply) override {
    reply.clear_records();
    CO_TRYV(co_await walk([&reply](store::GetOutcome found, Budget& budget) {
      proto::GetResponse record;
      fill(record, std::move(found), true);
      if (!budget.takes(record.ByteSizeLong())) return false;
      *reply.add_records() = std::move(record);
      return true;
    }));
    co_return reply.records_size() > 0;
  }

  bool encodes() const override { return true; }
  Task<Result<std::optional<BytesView>>> next_encoded() override {
    encoded_.clear();
    CO_TRYV(co_await walk([this](const store::GetOutcome& found, Budget& budget) {
      const std::size_t before = encoded_.size();
      append_get_response(encoded_, found, true);   // records have the field number of a read's answers
      if (budget.takes(encoded_.size() - before)) return true;
      encoded_.resize(before);
      return false;
    }));
    co_return encoded_.empty() ? std::nullopt : std::optional<BytesView>(encoded_);
  }

 private:
  // Adds records until one does not fit into this message, which is the first of the next.
  template <class Add>
  Task<Result<>> walk(Add add) {
    Budget budget;
    for (std::size_t taken = 0; taken < limits::scan_records_max; ++taken, scan_->next()) {
      if (unsettled(*scan_)) CO_TRYV(co_await settle(core_, *scan_));
      if (scan_->state() == store::Scan::State::end || !add(scan_->record(), budget)) break;
      if (core_.yield_due()) co_await core_.yield();
    }
    co_return Result<>{};
  }

  Core& core_;
  std::unique_ptr<store::Scan> scan_;
  Bytes encoded_;
};

class SequenceChunks final : public Chunks<proto::GetSequenceUpdatesResponse> {
 public:
  explicit SequenceChunks(std::unique_ptr<replica::SequenceFollower> follower) : follower_(std::move(follower)) {}

  Task<Result<bool>> next(proto::GetSequenceUpdatesResponse& reply) override {
    CO_TRY(Bytes key, co_await follower_->next());
    reply.set_highest_sequence_key(std::move(key));
    co_return true;
  }

 private:
  std::unique_ptr<replica::SequenceFollower> follower_;
};

}  // namespace

Result<replica::ShardUse> open_shard(ShardHost& host, ShardId shard) {
  if (replica::Shard* found = host.find(shard)) {
    if (found->serves()) return found->use();
    return fail(replica::ShardError::not_leader, fmt::format("this node does not lead shard {} now", shard.value()));
  }
  return fail(OxiaError::not_initialized, fmt::format("shard {} is not open yet", shard.value()));
}

Task<Result<>> answer(replica::Shard& shard, const proto::WriteRequest& request, proto::WriteResponse& reply,
                      WriteStages* stages) {
  WriteView view;
  CO_TRY(store::WriteOutcome outcome, co_await shard.write(view.of(request), std::nullopt, stages));
  fill(reply, std::move(outcome));
  co_return Result<>{};
}

Task<Result<>> answer(replica::Shard& shard, const proto::CreateSessionRequest& request, proto::CreateSessionResponse& reply) {
  const InheritedSession fresh{request, std::nullopt};
  co_return co_await answer(shard, fresh, reply);
}

Task<Result<>> answer(replica::Shard& shard, const InheritedSession& session, proto::CreateSessionResponse& reply) {
  const proto::CreateSessionRequest& request = session.request;
  CO_TRY(const SessionId id, co_await shard.create_session(std::chrono::milliseconds(request.session_timeout_ms()),
                                                           request.client_identity(), session.given));
  reply.set_session_id(id.value());
  co_return Result<>{};
}

Task<Result<>> answer(replica::Shard& shard, const HeirRead& read, proto::ReadResponse& reply) {
  Budget budget;
  for (const proto::GetRequest& get : read.request.gets()) {
    CO_TRY(store::GetOutcome found, co_await shard.get(get_view(get)));
    auto& answered = *reply.add_gets();
    fill(answered, std::move(found), get.include_value());
    if (budget.takes(answered.ByteSizeLong())) continue;
    co_return fail(Errc::unavailable, "the shard was split; ask those that it became, or for fewer keys at once");
  }
  co_return Result<>{};
}

Task<Result<>> answer(replica::Shard& shard, const proto::SessionHeartbeat& request, proto::KeepAliveResponse&) {
  co_return shard.keep_alive(SessionId(request.session_id()));
}

Task<Result<>> answer(replica::Shard& shard, const proto::CloseSessionRequest& request, proto::CloseSessionResponse&) {
  co_return co_await shard.close_session(SessionId(request.session_id()));
}

Result<std::unique_ptr<Chunks<proto::ReadResponse>>> chunks(Core& core, replica::Shard& shard, proto::ReadRequest request) {
  TRYV(check_comparisons(request));
  return std::make_unique<ReadChunks<proto::ReadResponse>>(core, shard, std::move(request));
}

Result<std::unique_ptr<Chunks<proto::ListResponse>>> chunks(Core& core, replica::Shard& shard, proto::ListRequest request) {
  TRY(auto scan, shard.scan(range_of(request), StateMachine::ScanKind::keys));
  return std::make_unique<ListChunks>(core, std::move(scan));
}

Result<std::unique_ptr<Chunks<proto::RangeScanResponse>>> chunks(Core& core, replica::Shard& shard,
                                                                 proto::RangeScanRequest request) {
  TRY(auto scan, shard.scan(range_of(request), StateMachine::ScanKind::records));
  return std::make_unique<ScanChunks>(core, std::move(scan));
}

Result<std::unique_ptr<Chunks<proto::GetSequenceUpdatesResponse>>> chunks(Core&, replica::Shard& shard,
                                                                          proto::GetSequenceUpdatesRequest request) {
  TRY(auto follower, shard.follow_sequence(std::move(*request.mutable_key())));
  return std::make_unique<SequenceChunks>(std::move(follower));
}

Result<std::unique_ptr<Chunks<proto::NotificationBatch>>> chunks(Core&, replica::Shard& shard,
                                                                 proto::NotificationsRequest request) {
  std::optional<Offset> start;
  if (request.has_start_offset_exclusive()) start = Offset(request.start_offset_exclusive());
  TRY(auto follower, shard.follow(start));
  using Chunks = NotificationChunks<proto::NotificationBatch, store::NotificationBatch::Protocol::oxia>;
  return std::make_unique<Chunks>(shard.id(), std::move(follower));
}

}  // namespace skerry::serve
