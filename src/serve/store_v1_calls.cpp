// SPDX-License-Identifier: Apache-2.0
#include "serve/store_v1_calls.hpp"

#include <fmt/format.h>

#include "serve/chunk_parts.hpp"
#include "store/page_token.hpp"

namespace skerry::serve {
namespace {

using store::StateMachine;

// A walk with an end after so many, and the token that takes it up.
class Walk {
 public:
  Walk(ShardId shard, std::unique_ptr<store::Scan> scan, store::Range range, std::uint64_t limit)
      : shard_(shard), scan_(std::move(scan)), range_(std::move(range)), limit_(limit) {}

  store::Scan& scan() { return *scan_; }
  // Whether what the scan stands on is not wanted any more.
  bool at_limit() const { return limit_ != 0 && taken_ == limit_; }
  // The scan's record was handed out; the scan goes on.
  void take() {
    ++taken_;
    if (limit_ != 0 && taken_ == limit_) {
      last_key_ = Bytes(scan_->key());
      if (range_.index) last_secondary_ = scan_->record().secondary_key;
    }
    scan_->next();
  }
  // Requires: at_limit(), and the scan stands on a record.
  std::string token() const { return store::encode_page_token(range_, {shard_, last_key_, last_secondary_}); }

 private:
  ShardId shard_;
  std::unique_ptr<store::Scan> scan_;
  store::Range range_;
  std::uint64_t limit_, taken_ = 0;
  Bytes last_key_;
  std::optional<Bytes> last_secondary_;
};

// A caller that merges shards in another order than theirs would leave records out.
Result<> check_sorting(replica::Shard& shard, v1::KeySorting wanted) {
  const bool natural = shard.key_order() == store::KeyOrder::natural;
  if (wanted == v1::KEY_SORTING_NOT_SAID || (wanted == v1::KEY_SORTING_NATURAL) == natural) return {};
  return fail(Errc::invalid_argument,
              fmt::format("the namespace sorts its keys in {} order, and the caller merges them in another: "
                          "tell the client (--key-sorting {})",
                          natural ? "natural" : "hierarchical", natural ? "natural" : "hierarchical"));
}

template <class Request>
Result<Walk> open_walk(replica::Shard& shard, const Request& request, StateMachine::ScanKind kind) {
  TRYV(check_sorting(shard, request.key_sorting()));
  TRY(store::Range range, walk_of(request));
  TRY(auto scan, shard.scan(range, kind));
  range.resume.reset();
  return Walk(shard.id(), std::move(scan), std::move(range), request.limit());
}

class V1ListChunks final : public Chunks<v1::ListResponse> {
 public:
  V1ListChunks(Core& core, Walk walk) : core_(core), walk_(std::move(walk)) {}

  Task<Result<bool>> next(v1::ListResponse& reply) override {
    reply.Clear();
    if (std::exchange(ended_, false)) co_return false;
    Budget budget;
    for (;; walk_.take()) {
      if (unsettled(walk_.scan())) CO_TRYV(co_await settle(core_, walk_.scan()));
      if (walk_.scan().state() == store::Scan::State::end) break;
      if (walk_.at_limit()) {
        reply.set_next_page_token(walk_.token());
        ended_ = true;
        co_return true;
      }
      if (!budget.takes(walk_.scan().key().size())) break;
      reply.add_keys(walk_.scan().key().data(), walk_.scan().key().size());
      if (core_.yield_due()) co_await core_.yield();
    }
    co_return reply.keys_size() > 0;
  }

 private:
  Core& core_;
  Walk walk_;
  bool ended_ = false;   // at the limit, and the token told
};

class V1ScanChunks final : public Chunks<v1::RangeScanResponse> {
 public:
  V1ScanChunks(Core& core, Walk walk) : core_(core), walk_(std::move(walk)) {}

  Task<Result<bool>> next(v1::RangeScanResponse& reply) override {
    reply.Clear();
    if (std::exchange(ended_, false)) co_return false;
    Budget budget;
    for (; static_cast<std::size_t>(reply.records_size()) < limits::scan_records_max; walk_.take()) {
      if (unsettled(walk_.scan())) CO_TRYV(co_await settle(core_, walk_.scan()));
      if (walk_.scan().state() == store::Scan::State::end) break;
      if (walk_.at_limit()) {
        reply.set_next_page_token(walk_.token());
        ended_ = true;
        co_return true;
      }
      v1::GetResponse record;
      fill(record, walk_.scan().record(), true);
      if (!budget.takes(record.ByteSizeLong())) break;
      *reply.add_records() = std::move(record);
      if (core_.yield_due()) co_await core_.yield();
    }
    co_return reply.records_size() > 0;
  }

 private:
  Core& core_;
  Walk walk_;
  bool ended_ = false;
};

}  // namespace

Task<Result<>> answer(replica::Shard& shard, const v1::WriteRequest& request, v1::WriteResponse& reply, WriteStages* stages) {
  StoreV1View view;
  CO_TRY(store::WriteOutcome outcome, co_await shard.write(view.of(request), request_id_of(request), stages));
  fill(reply, std::move(outcome));
  co_return Result<>{};
}

Task<Result<>> answer(replica::Shard& shard, const v1::BatchRequest& request, v1::BatchResponse& reply) {
  StoreV1View view;
  CO_TRY(const store::WriteRequest batch, view.of(request));
  CO_TRY(store::WriteOutcome outcome, co_await shard.write(batch, request_id_of(request)));
  fill(reply, request, std::move(outcome));
  co_return Result<>{};
}

Result<std::unique_ptr<Chunks<v1::ReadResponse>>> chunks_v1(Core& core, replica::Shard& shard, proto::ReadRequest request) {
  TRYV(check_comparisons(request));
  return std::make_unique<ReadChunks<v1::ReadResponse>>(core, shard, std::move(request));
}

Result<std::unique_ptr<Chunks<v1::ListResponse>>> chunks_v1(Core& core, replica::Shard& shard, v1::ListRequest request) {
  TRY(Walk walk, open_walk(shard, request, StateMachine::ScanKind::keys));
  return std::make_unique<V1ListChunks>(core, std::move(walk));
}

Result<std::unique_ptr<Chunks<v1::RangeScanResponse>>> chunks_v1(Core& core, replica::Shard& shard,
                                                                 v1::RangeScanRequest request) {
  TRY(Walk walk, open_walk(shard, request, StateMachine::ScanKind::records));
  return std::make_unique<V1ScanChunks>(core, std::move(walk));
}

Result<std::unique_ptr<Chunks<v1::NotificationBatch>>> chunks_v1(Core&, replica::Shard& shard, v1::NotificationsRequest request) {
  if (static_cast<std::size_t>(request.key_prefixes_size()) > limits::notification_prefixes_max) {
    return fail(Errc::resource_exhausted, fmt::format("{} key_prefixes, at most {} are allowed", request.key_prefixes_size(),
                                                      limits::notification_prefixes_max));
  }
  std::optional<Offset> start;
  if (request.has_start_offset_exclusive()) start = Offset(request.start_offset_exclusive());
  replica::NotificationWishes wishes;
  wishes.gaps = true;
  wishes.filter = store::NotificationFilter({request.key_prefixes().begin(), request.key_prefixes().end()});
  TRY(auto follower, shard.follow(start, std::move(wishes)));
  using Chunks = NotificationChunks<v1::NotificationBatch, store::NotificationBatch::Protocol::store_v1>;
  return std::make_unique<Chunks>(shard.id(), std::move(follower));
}

}  // namespace skerry::serve
