// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "serve/convert.hpp"
#include "serve/shard_calls.hpp"
#include "serve/store_v1_convert.hpp"

// What answers in many messages are made of, whatever the protocol.
namespace skerry::serve {

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
inline Task<Result<>> settle(Core& core, store::Scan& scan) {
  while (scan.state() == store::Scan::State::cold) {
    CO_TRYV(co_await scan.load());
    if (core.yield_due()) co_await core.yield();
  }
  if (scan.state() == store::Scan::State::failed) co_return fail(scan.error());
  co_return Result<>{};
}

inline bool unsettled(const store::Scan& scan) {
  return scan.state() == store::Scan::State::cold || scan.state() == store::Scan::State::failed;
}

inline Result<> check_comparisons(const proto::ReadRequest& request) {
  for (const auto& get : request.gets()) {
    if (proto::KeyComparisonType_IsValid(get.comparison_type())) continue;
    return fail(Errc::invalid_argument, fmt::format("comparison_type {} is none of EQUAL, FLOOR, CEILING, LOWER, HIGHER",
                                                    static_cast<int>(get.comparison_type())));
  }
  return {};
}

// One message for each entry, however large, as clients expect: its offset is its name, and where they resume. Followers of
// the same changes are sent the same bytes.
template <class Reply, store::NotificationBatch::Protocol protocol>
class NotificationChunks final : public Chunks<Reply> {
 public:
  NotificationChunks(ShardId shard, std::unique_ptr<replica::NotificationFollower> follower)
      : shard_(shard), follower_(std::move(follower)) {}

  Task<Result<bool>> next(Reply& reply) override {
    CO_TRY(const auto batch, co_await follower_->next());
    reply.Clear();
    fill(reply, shard_, *batch);
    co_return true;
  }

  bool encodes() const override { return true; }
  Task<Result<std::optional<BytesView>>> next_encoded() override {
    CO_TRY(batch_, co_await follower_->next());
    Bytes& encoded = batch_->encoded[std::to_underlying(protocol)];
    if (encoded.empty()) {
      Reply reply;
      fill(reply, shard_, *batch_);
      encoded = reply.SerializeAsString();
    }
    co_return BytesView(encoded);
  }

 private:
  ShardId shard_;
  std::unique_ptr<replica::NotificationFollower> follower_;
  std::shared_ptr<const store::NotificationBatch> batch_;   // the last one
};

// The gets of one request, answered in chunks.
template <class Reply>
class ReadChunks final : public Chunks<Reply> {
 public:
  ReadChunks(Core& core, replica::Shard& shard, proto::ReadRequest request)
      : core_(core), shard_(shard), request_(std::move(request)) {}

  Task<Result<bool>> next(Reply& reply) override {
    reply.clear_gets();
    Budget budget;
    if (held_) take(reply, budget);
    while (next_ < request_.gets_size()) {
      if (core_.yield_due()) co_await core_.yield();   // first: late in a turn the disk's keys are cold
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
    }
    co_return reply.gets_size() > 0;
  }

 private:
  using Get = std::remove_cvref_t<decltype(std::declval<const Reply&>().gets(0))>;   // the message of one answer

  // One trip to the disk for many gets, not one for each.
  Task<Result<>> warm_from(int first) {
    std::vector<store::Get> gets;
    for (int at = first; at < std::min(first + warmed_at_once, request_.gets_size()); ++at) {
      gets.push_back(get_view(request_.gets(at)));
    }
    co_return co_await shard_.warm(gets);
  }

  bool take(Reply& reply, Budget& budget) {
    if (!budget.takes(held_->ByteSizeLong())) return false;
    *reply.add_gets() = *std::move(held_);
    held_.reset();
    return true;
  }

  static constexpr int warmed_at_once = 256;

  Core& core_;
  replica::Shard& shard_;
  proto::ReadRequest request_;
  int next_ = 0;
  std::optional<Get> held_;   // read, but too large for the message before
};

}  // namespace skerry::serve
