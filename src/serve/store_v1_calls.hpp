// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "replica/shard.hpp"
#include "serve/shard_calls.hpp"
#include "serve/store_v1_convert.hpp"

// The shard's half of every method of skerry.store.v1, as shard_calls.hpp is of Oxia's.
namespace skerry::serve {

Task<Result<>> answer(replica::Shard& shard, const v1::WriteRequest& request, v1::WriteResponse& reply,
                      WriteStages* stages = nullptr);
Task<Result<>> answer(replica::Shard& shard, const v1::BatchRequest& request, v1::BatchResponse& reply);

Result<std::unique_ptr<Chunks<v1::ReadResponse>>> chunks_v1(Core& core, replica::Shard& shard, proto::ReadRequest request);
Result<std::unique_ptr<Chunks<v1::ListResponse>>> chunks_v1(Core& core, replica::Shard& shard, v1::ListRequest request);
Result<std::unique_ptr<Chunks<v1::RangeScanResponse>>> chunks_v1(Core& core, replica::Shard& shard, v1::RangeScanRequest request);
Result<std::unique_ptr<Chunks<v1::NotificationBatch>>> chunks_v1(Core& core, replica::Shard& shard,
                                                                 v1::NotificationsRequest request);

}  // namespace skerry::serve
