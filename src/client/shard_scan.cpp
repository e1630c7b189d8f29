// SPDX-License-Identifier: Apache-2.0
#include "client/shard_scan.hpp"

#include <fmt/format.h>

#include "client/cancel_at.hpp"
#include "client/wire.hpp"

namespace skerry::client {

namespace v1 = skerry::store::v1;

ShardScan::ShardScan(Cluster& cluster, ShardId shard, const KeyRange& range, const RangeOptions& options, Scan::Kind kind,
                     Merged merged)
    : cluster_(cluster), shard_(shard), range_(range), options_(options), kind_(kind), merged_(merged == Merged::yes),
      backoff_(cluster.options().retry_pause_min, cluster.options().retry_pause_max) {}

// Walks that show internal keys take no tokens: they are resumed from the last key, as with Oxia's service.
bool ShardScan::takes_tokens() const { return uses_v1_ && options_.internal_keys == InternalKeys::hidden; }

Result<std::string> ShardScan::resume_token() const {
  if (!last_) return options_.page_token;
  return store::encode_page_token(walk_of(range_, options_), {shard_, *last_, last_secondary_});
}

template <class Request>
Result<Request> ShardScan::request() const {
  Request request;
  request.set_shard(shard_.value());
  request.set_start_inclusive(range_.start);
  request.set_end_exclusive(range_.end);
  if (options_.index) request.set_secondary_index_name(*options_.index);
  request.set_include_internal_keys(options_.internal_keys == InternalKeys::shown);
  if (takes_tokens()) {
    TRY(*request.mutable_page_token(), resume_token());
  } else if (last_ || first_) {
    request.set_start_inclusive(last_ ? *last_ : *first_);
  }
  if (!uses_v1_) return request;
  if (options_.limit) request.set_limit(*options_.limit + 1);   // one more tells whether the page is the last
  request.set_reverse(options_.direction == Direction::backward);
  if (merged_) {
    const bool natural = cluster_.options().key_order == KeyOrder::natural;
    request.set_key_sorting(natural ? v1::KEY_SORTING_NATURAL : v1::KEY_SORTING_HIERARCHICAL);
  }
  return request;
}

// Without skerry.store.v1 walks go forward, and pages are taken up over the primary keys only.
Result<> ShardScan::choose_service() {
  address_ = cluster_.leader_address(shard_);
  uses_v1_ = cluster_.may_offer_v1(address_);
  if (uses_v1_) return {};
  const auto unsupported = [this](const char* what) {
    return fail(Errc::unsupported, fmt::format("{} offers no {}: it speaks Oxia's protocol only", address_, what));
  };
  if (options_.direction == Direction::backward) return unsupported("walks backward");
  if (options_.page_token.empty() || last_) return {};
  if (options_.index) return unsupported("pages over an index");
  TRY(store::PagePosition position, store::decode_page_token(walk_of(range_, options_), options_.page_token));
  const bool inclusive = shard_ > position.shard;
  first_ = std::move(position.key);
  if (!inclusive) last_ = first_;
  return {};
}

Task<Result<>> ShardScan::open(Deadline deadline) {
  while (!call_) {
    CO_TRY(rpc::Channel* const channel, co_await cluster_.leader(shard_, deadline));
    CO_TRYV(choose_service());
    const bool keys = kind_ == Scan::Kind::keys;
    const char* const name = keys ? "List" : "RangeScan";
    // The call lives as long as the walk; each step has its own deadline.
    auto opened = co_await channel->open(uses_v1_ ? v1_method(name) : method(name),
                                         cluster_.call_options(options_.deadline.value_or(no_deadline)));
    if (!opened) {
      CO_TRYV(co_await recover(judge(opened.error()), deadline));
      continue;
    }
    call_ = std::move(*opened);
    Result<> written;
    if (keys) {
      CO_TRY(const auto message, request<v1::ListRequest>());
      written = co_await call_->write(message);
    } else {
      CO_TRY(const auto message, request<v1::RangeScanRequest>());
      written = co_await call_->write(message);
    }
    if (written) static_cast<void>(co_await call_->finish_writing());   // else the read tells why
  }
  co_return Result<>();
}

Task<Result<>> ShardScan::fill(Deadline deadline) {
  while (buffer_.empty() && !ended_) {
    CO_TRYV(co_await open(deadline));
    std::optional<rpc::Status> status;
    {
      const CancelAt cancel(cluster_.core(), *call_, deadline);
      if (!co_await read_chunk()) status = co_await call_->finish();
    }
    if (!status) continue;
    call_.reset();
    if (status->ok()) {
      ended_ = true;
    } else {
      CO_TRYV(co_await recover(judge(*status), deadline));
    }
  }
  co_return Result<>();
}

Task<bool> ShardScan::read_chunk() {
  if (kind_ == Scan::Kind::keys) {
    v1::ListResponse chunk;
    const auto more = co_await call_->read(chunk);
    if (!more || !*more) co_return false;
    for (std::string& key : *chunk.mutable_keys()) accept(Record{std::move(key), {}, {}, std::nullopt});
  } else {
    v1::RangeScanResponse chunk;
    const auto more = co_await call_->read(chunk);
    if (!more || !*more) co_return false;
    for (v1::GetResponse& each : *chunk.mutable_records()) accept(from_wire(each, {}));
  }
  backoff_.reset();
  co_return true;
}

void ShardScan::accept(Record record) {
  // A walk that was taken up again begins with the key that it stopped at.
  if (!takes_tokens() && !options_.index && last_ && record.key == *last_) return;
  last_ = record.key;
  if (options_.index) last_secondary_ = record.secondary_key;
  buffer_.push_back(std::move(record));
}

Task<Result<>> ShardScan::recover(Verdict verdict, Deadline deadline) {
  cluster_.learn(verdict);
  if (verdict.error == Errc::unavailable) cluster_.lost(address_);
  if (uses_v1_ && verdict.error == Errc::unsupported) {
    cluster_.found_plain(address_);
    co_return Result<>();
  }
  const bool resumable = !options_.index || !last_ || (takes_tokens() && last_secondary_);
  if (verdict.action == Verdict::Action::reroute) {
    co_return fail(ClientErrc::shard_moved, "the shard moved during the walk");
  }
  if (cluster_.core().now() >= deadline) co_return fail(Errc::deadline_exceeded, "no answer in time: " + verdict.error.message());
  if (verdict.action == Verdict::Action::give_up) co_return fail(verdict.error);
  if (!resumable)
    co_return fail(Errc::aborted, "the walk over an index was interrupted; start it again: " + verdict.error.message());
  co_await cluster_.pause(backoff_.next(cluster_.core().random()), deadline);
  co_return Result<>();
}

Record ShardScan::pop() {
  Record record = std::move(buffer_.front());
  buffer_.pop_front();
  return record;
}

}  // namespace skerry::client
