// SPDX-License-Identifier: Apache-2.0
#include "client/scan.hpp"

#include <algorithm>

#include "base/hash.hpp"
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

Task<Result<>> Scan::start() {
  const Deadline deadline = step_deadline();
  std::vector<ShardId> ids;
  if (options_.partition_key) {
    CO_TRY(const ShardId shard, co_await cluster_.route(key_hash(*options_.partition_key), deadline));
    ids.push_back(shard);
  } else {
    CO_TRY(ids, co_await cluster_.all_shards(deadline));
  }
  // A list over an index names primary keys only, which cannot be put in the index's order; records bring their secondary keys.
  const Kind asked = options_.index && ids.size() > 1 ? Kind::records : kind_;
  for (const ShardId id : ids) shards_.push_back(std::make_unique<ShardScan>(cluster_, id, range_, options_, asked));
  for (const auto& shard : shards_) CO_TRYV(co_await shard->open(deadline));   // all servers work at the same time
  for (std::size_t i = 0; i < shards_.size(); ++i) CO_TRYV(co_await advance(i));
  co_return Result<>();
}

Task<Result<>> Scan::advance(std::size_t shard) {
  CO_TRYV(co_await shards_[shard]->fill(step_deadline()));
  if (shards_[shard]->empty()) co_return Result<>();
  std::string key =
      shards_.size() > 1 ? sort_key(cluster_.options().key_order, options_, shards_[shard]->front()) : std::string();
  heads_.push_back({std::move(key), shard});
  std::ranges::push_heap(heads_, std::ranges::greater(), &Head::sort_key);
  co_return Result<>();
}

Task<Result<std::optional<Record>>> Scan::next() {
  if (ended_) co_return std::nullopt;
  ended_ = true;   // unless all goes well
  if (!started_) {
    started_ = true;
    CO_TRYV(co_await start());
  }
  if (taken_) CO_TRYV(co_await advance(*taken_));
  taken_.reset();
  if (heads_.empty()) co_return std::nullopt;
  std::ranges::pop_heap(heads_, std::ranges::greater(), &Head::sort_key);
  taken_ = heads_.back().shard;
  heads_.pop_back();
  Record record = shards_[*taken_]->pop();
  if (kind_ == Kind::keys) record.value.clear();
  ended_ = false;
  co_return record;
}

}   // namespace skerry::client
