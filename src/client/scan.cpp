// SPDX-License-Identifier: Apache-2.0
#include "client/scan.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "client/check.hpp"
#include "client/shard_scan.hpp"
#include "store/layout.hpp"

namespace skerry::client {

std::string sort_key(KeyOrder order, const RangeOptions& options, const Record& record) {
  if (options.index && record.secondary_key) return store::index_entry_key(order, {}, *record.secondary_key, record.key);
  return store::encode_key(order, record.key);
}

Scan::Scan(Cluster& cluster, KeyRange range, RangeOptions options, Kind kind)
    : cluster_(cluster), range_(std::move(range)), options_(std::move(options)), kind_(kind) {}

Scan::~Scan() = default;

Deadline Scan::step_deadline() const {
  return options_.deadline.value_or(cluster_.core().now() + cluster_.options().request_timeout);
}

store::Range walk_of(const KeyRange& range, const RangeOptions& options) {
  return {range.start, range.end, options.index, options.internal_keys == InternalKeys::shown,
          options.direction == Direction::backward};
}

bool Scan::later(const Head& a, const Head& b) const {
  if (a.sort_key == b.sort_key) return a.id > b.id;
  return options_.direction == Direction::forward ? a.sort_key > b.sort_key : a.sort_key < b.sort_key;
}

Task<Result<>> Scan::start() {
  CO_TRYV(check_range(range_, options_));
  std::optional<store::PagePosition> place;
  if (!options_.page_token.empty()) {
    CO_TRY(place, store::decode_page_token(walk_of(range_, options_), options_.page_token));
  }
  const Deadline deadline = step_deadline();
  if (options_.partition_key) {
    CO_TRY(const ShardId shard, co_await cluster_.route(key_hash(*options_.partition_key), deadline));
    ids_.push_back(shard);
  } else {
    CO_TRY(ids_, co_await cluster_.all_shards(deadline));
  }
  if (place && !cluster_.has_shard(place->shard)) {   // those that took its place go on behind the record, as it would have
    place->shard = std::ranges::max(ids_);
    options_.page_token = store::encode_page_token(walk_of(range_, options_), *place);
  }
  // A list over an index names primary keys only, which cannot be put in the index's order; records bring their secondary keys.
  const bool needs_secondary = ids_.size() > 1 || options_.limit || !options_.page_token.empty();
  const Kind asked = options_.index && needs_secondary ? Kind::records : kind_;
  const auto merged = ids_.size() > 1 ? ShardScan::Merged::yes : ShardScan::Merged::no;
  for (const ShardId id : ids_) shards_.push_back(std::make_unique<ShardScan>(cluster_, id, range_, options_, asked, merged));
  for (const auto& shard : shards_) CO_TRYV(co_await shard->open(deadline));   // all servers work at the same time
  for (std::size_t i = 0; i < shards_.size(); ++i) CO_TRYV(co_await advance(i));
  co_return Result<>();
}

Task<Result<>> Scan::advance(std::size_t shard) {
  CO_TRYV(co_await shards_[shard]->fill(step_deadline()));
  if (shards_[shard]->empty()) co_return Result<>();
  std::string key =
      shards_.size() > 1 ? sort_key(cluster_.options().key_order, options_, shards_[shard]->front()) : std::string();
  heads_.push_back({std::move(key), ids_[shard], shard});
  std::ranges::push_heap(heads_, [this](const Head& a, const Head& b) { return later(a, b); });
  co_return Result<>();
}

// Whether more is there shows only now; each shard was asked for one more than the limit.
Task<Result<>> Scan::end_page() {
  if (taken_) CO_TRYV(co_await advance(*taken_));
  taken_.reset();
  if (!heads_.empty()) page_token_ = store::encode_page_token(walk_of(range_, options_), *position_);
  shards_.clear();   // ends the calls
  heads_.clear();
  co_return Result<>();
}

// All shards are walked in one order, so behind the record that was handed out last others can go on in the place of those that
// are no more.
Task<Result<>> Scan::begin_again(Deadline deadline) {
  if (cluster_.core().now() >= deadline) co_return fail(Errc::deadline_exceeded, "a shard moved, and no other was found in time");
  if (position_ && options_.index && !position_->secondary_key) {
    co_return fail(Errc::aborted, "a shard moved during the walk over an index; start it again");
  }
  if (position_ && options_.internal_keys == InternalKeys::shown) {
    co_return fail(Errc::aborted, "a shard moved during the walk over internal keys; start it again");
  }
  if (position_) {
    position_->shard = std::ranges::max(ids_);
    options_.page_token = store::encode_page_token(walk_of(range_, options_), *position_);
  }
  shards_.clear();   // ends the calls
  heads_.clear();
  taken_.reset();
  ids_.clear();
  started_ = false;
  co_await cluster_.pause(cluster_.options().retry_pause_min, deadline);
  co_return Result<>();
}

Task<Result<std::optional<Record>>> Scan::next() {
  if (ended_) co_return std::nullopt;
  ended_ = true;   // unless all goes well
  const Deadline deadline = step_deadline();
  for (;;) {
    auto taken = co_await step();
    if (taken || taken.error() != ClientErrc::shard_moved) co_return taken;
    CO_TRYV(co_await begin_again(deadline));
  }
}

Task<Result<std::optional<Record>>> Scan::step() {
  if (!started_) {
    started_ = true;
    CO_TRYV(co_await start());
  }
  if (options_.limit && handed_out_ == *options_.limit) {
    CO_TRYV(co_await end_page());
    co_return std::nullopt;
  }
  if (taken_) CO_TRYV(co_await advance(*taken_));
  taken_.reset();
  if (heads_.empty()) co_return std::nullopt;
  std::ranges::pop_heap(heads_, [this](const Head& a, const Head& b) { return later(a, b); });
  taken_ = heads_.back().shard;
  heads_.pop_back();
  Record record = shards_[*taken_]->pop();
  ++handed_out_;
  position_ = {ids_[*taken_], record.key, record.secondary_key};
  if (kind_ == Kind::keys) record.value.clear();
  ended_ = false;
  co_return record;
}

}   // namespace skerry::client
