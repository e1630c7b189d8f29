// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "oxia/client.pb.h"
#include "serve/shard_directory.hpp"
#include "store/key_order.hpp"

// Requests for a shard that was split or merged, by clients that have not heard of it yet: which of its heirs each part is for,
// by the hash of its key. Pure.
namespace skerry::serve {

namespace proto = io::oxia::proto::v1;

// One heir's part of a write, and where its operations stood in the whole.
struct HeirWrite {
  proto::WriteRequest request;
  std::vector<int> puts, deletes, delete_ranges;
};
// In the order of the heirs, without those that get nothing; a range deletion is for all. Nothing where an operation is for none
// of them.
std::optional<std::vector<HeirWrite>> cut_write(const proto::WriteRequest& whole, std::span<const ShardPlace> heirs);
// The answer of an heir goes to where its operations stood.
void put_together(const HeirWrite& part, proto::WriteResponse answer, proto::WriteResponse& whole);

// Gets don't tell partition keys, so every heir is asked for all.
struct HeirRead {
  proto::ReadRequest request;
  std::int64_t shard() const { return request.shard(); }
};
// Where a record that was found stands among others in the order in which it was asked for: of its key, or of an index. Pure.
Bytes place_of(store::KeyOrder order, bool by_index, const proto::GetResponse& record);

// What one of several heirs answered to the gets of `request`, beside what others did: of each the better is kept, as a shard
// that had all of it would have answered.
void put_together(const proto::ReadRequest& request, store::KeyOrder order, proto::ReadResponse answer,
                  proto::ReadResponse& whole);

}   // namespace skerry::serve
