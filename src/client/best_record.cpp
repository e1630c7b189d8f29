// SPDX-License-Identifier: Apache-2.0
#include "client/best_record.hpp"

#include "store/layout.hpp"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;

BestRecord::BestRecord(KeyOrder order, const pb::GetRequest& request)
    : order_(order), asked_key_(request.key()), by_index_(request.has_secondary_index_name()),
      greatest_(request.comparison_type() == pb::FLOOR || request.comparison_type() == pb::LOWER) {}

std::string BestRecord::place(const pb::GetResponse& response) const {
  const std::string& key = response.has_key() ? response.key() : asked_key_;
  if (by_index_) return store::index_entry_key(order_, {}, response.secondary_index_key(), key);
  return store::encode_key(order_, key);
}

void BestRecord::offer(pb::GetResponse response) {
  if (response.status() != pb::OK) return;
  std::string found = place(response);
  const bool better = !best_ || (greatest_ ? found > best_place_ : found < best_place_);
  if (!better) return;
  best_ = std::move(response);
  best_place_ = std::move(found);
}

pb::GetResponse BestRecord::take() {
  if (best_) return std::move(*best_);
  pb::GetResponse none;
  none.set_status(pb::KEY_NOT_FOUND);
  return none;
}

}  // namespace skerry::client
