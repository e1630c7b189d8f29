// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "oxia/client.pb.h"
#include "serve/shard_directory.hpp"

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

// Gets don't tell partition keys, so every heir is asked for all: at most one has the record. Only of single keys: which of
// several answers is the right one is for those to judge that ask several shards.
struct HeirRead {
  proto::ReadRequest request;
  std::int64_t shard() const { return request.shard(); }
};
bool asks_for_single_keys(const proto::ReadRequest& request);
void put_together(proto::ReadResponse answer, proto::ReadResponse& whole);

}   // namespace skerry::serve
