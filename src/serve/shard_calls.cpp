// SPDX-License-Identifier: Apache-2.0
#include "serve/shard_calls.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "serve/convert.hpp"
#include "serve/oxia_error.hpp"

namespace skerry::serve {
namespace {

using store::StateMachine;

constexpr int gets_warmed_at_once = 256;

// A reply message that takes parts until the next one would make it too large. The first part always fits.
class Budget {
 public:
  bool takes(std::size_t bytes) {
    if (used_ > 0 && used_ + bytes + framing_bytes > limits::response_bytes_max) return false;
    used_ += bytes + framing_bytes;
    return true;
  }

 private:
  static constexpr std::size_t framing_bytes = 8;   // tag and length of a repeated field
  std::size_t used_ = 0;
};

// Lets the scan go on when it is cold. Also where all is in memory: it is cold now and then while it skips what is not told.
Task<Result<>> settle(Core& core, store::Scan& scan) {
  while (scan.state() == store::Scan::State::cold) {
    CO_TRYV(co_await scan.load());
    if (core.yield_due()) co_await core.yield();
  }
  if (scan.state() == store::Scan::State::failed) co_return fail(scan.error());
  co_return Result<>{};
}

bool unsettled(const store::Scan& scan) {
  return scan.state() == store::Scan::State::cold || scan.state() == store::Scan::State::failed;
}

class ReadChunks final : public Chunks<proto::ReadResponse> {
 public:
  ReadChunks(Core& core, replica::Shard& shard, proto::ReadRequest request)
      : core_(core), shard_(shard), request_(std::move(request)) {}

  Task<Result<bool>> next(proto::ReadResponse& reply) override {
    reply.clear_gets();
    Budget budget;
    if (held_) take(reply, budget);
    while (next_ < request_.gets_size()) {
      const proto::GetRequest& get = request_.gets(next_++);
      const store::Get view = get_view(get);
      auto outcome = shard_.try_get(view);
      if (!outcome) {
        CO_TRYV(co_await warm_from(next_ - 1));
        outcome = co_await shard_.get(view);
      }
      CO_TRY(store::GetOutcome found, *std::move(outcome));
      fill(held_.emplace(), std::move(found), get.include_value());
      if (!take(reply, budget)) break;
      if (core_.yield_due()) co_await core_.yield();
    }
    co_return reply.gets_size() > 0;
  }

 private:
  // One trip to the disk for many gets, not one for each.
  Task<Result<>> warm_from(int first) {
    std::vector<store::Get> gets;
    for (int at = first; at < std::min(first + gets_warmed_at_once, request_.gets_size()); ++at) {
      gets.push_back(get_view(request_.gets(at)));
    }
    co_return co_await shard_.warm(gets);
  }

  bool take(proto::ReadResponse& reply, Budget& budget) {
    if (!budget.takes(held_->ByteSizeLong())) return false;
    *reply.add_gets() = *std::move(held_);
    held_.reset();
    return true;
  }

  Core& core_;
  replica::Shard& shard_;
  proto::ReadRequest request_;
  int next_ = 0;
  std::optional<proto::GetResponse> held_;   // read, but too large for the message before
};

class ListChunks final : public Chunks<proto::ListResponse> {
 public:
  ListChunks(Core& core, std::unique_ptr<store::Scan> scan) : core_(core), scan_(std::move(scan)) {}

  Task<Result<bool>> next(proto::ListResponse& reply) override {
    reply.clear_keys();
    Budget budget;
    for (;; scan_->next()) {
      if (unsettled(*scan_)) CO_TRYV(co_await settle(core_, *scan_));
      if (scan_->state() == store::Scan::State::end || !budget.takes(scan_->key().size())) break;
      reply.add_keys(scan_->key().data(), scan_->key().size());
      if (core_.yield_due()) co_await core_.yield();
    }
    co_return reply.keys_size() > 0;
  }

 private:
  Core& core_;
  std::unique_ptr<store::Scan> scan_;
};

class ScanChunks final : public Chunks<proto::RangeScanResponse> {
 public:
  ScanChunks(Core& core, std::unique_ptr<store::Scan> scan) : core_(core), scan_(std::move(scan)) {}

  Task<Result<bool>> next(proto::RangeScanResponse& reply) override {
    reply.clear_records();
    Budget budget;
    for (; static_cast<std::size_t>(reply.records_size()) < limits::scan_records_max; scan_->next()) {
      if (unsettled(*scan_)) CO_TRYV(co_await settle(core_, *scan_));
      if (scan_->state() == store::Scan::State::end) break;
      proto::GetResponse record;
      fill(record, scan_->record(), true);
      if (!budget.takes(record.ByteSizeLong())) break;
      *reply.add_records() = std::move(record);
      if (core_.yield_due()) co_await core_.yield();
    }
    co_return reply.records_size() > 0;
  }

 private:
  Core& core_;
  std::unique_ptr<store::Scan> scan_;
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

// One message for each entry, however large, as clients expect: its offset is its name, and where they resume.
class NotificationChunks final : public Chunks<proto::NotificationBatch> {
 public:
  NotificationChunks(ShardId shard, std::unique_ptr<replica::NotificationFollower> follower)
      : shard_(shard), follower_(std::move(follower)) {}

  Task<Result<bool>> next(proto::NotificationBatch& reply) override {
    CO_TRY(const auto batch, co_await follower_->next());
    reply.Clear();
    fill(reply, shard_, *batch);
    co_return true;
  }

 private:
  ShardId shard_;
  std::unique_ptr<replica::NotificationFollower> follower_;
};

}  // namespace

Result<replica::Shard*> open_shard(ShardHost& host, ShardId shard) {
  if (replica::Shard* found = host.find(shard)) return found;
  return fail(OxiaError::not_initialized, fmt::format("shard {} is not open yet", shard.value()));
}

Task<Result<>> answer(replica::Shard& shard, const proto::WriteRequest& request, proto::WriteResponse& reply) {
  WriteView view;
  CO_TRY(store::WriteOutcome outcome, co_await shard.write(view.of(request)));
  fill(reply, std::move(outcome));
  co_return Result<>{};
}

Task<Result<>> answer(replica::Shard& shard, const proto::CreateSessionRequest& request, proto::CreateSessionResponse& reply) {
  CO_TRY(const SessionId session,
         co_await shard.create_session(std::chrono::milliseconds(request.session_timeout_ms()), request.client_identity()));
  reply.set_session_id(session.value());
  co_return Result<>{};
}

Task<Result<>> answer(replica::Shard& shard, const proto::SessionHeartbeat& request, proto::KeepAliveResponse&) {
  co_return shard.keep_alive(SessionId(request.session_id()));
}

Task<Result<>> answer(replica::Shard& shard, const proto::CloseSessionRequest& request, proto::CloseSessionResponse&) {
  co_return co_await shard.close_session(SessionId(request.session_id()));
}

Result<std::unique_ptr<Chunks<proto::ReadResponse>>> chunks(Core& core, replica::Shard& shard, proto::ReadRequest request) {
  for (const auto& get : request.gets()) {
    if (!proto::KeyComparisonType_IsValid(get.comparison_type())) {
      return fail(Errc::invalid_argument, fmt::format("comparison_type {} is none of EQUAL, FLOOR, CEILING, LOWER, HIGHER",
                                                      static_cast<int>(get.comparison_type())));
    }
  }
  return std::make_unique<ReadChunks>(core, shard, std::move(request));
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
  return std::make_unique<NotificationChunks>(shard.id(), std::move(follower));
}

}  // namespace skerry::serve
