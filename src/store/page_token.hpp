// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "store/operations.hpp"

namespace skerry::store {

// Where a walk over many shards stands: they are merged in key order, equal keys in order of shard.
struct PagePosition {
  ShardId shard;                        // of the last record that was handed out
  Bytes key;
  std::optional<Bytes> secondary_key;   // in a walk over an index
};

// The text that takes a walk up again: opaque to whoever holds it, the same from a server and from a client that merged many.
// Made for one range, index and direction; it holds no snapshot, so what is written meanwhile is seen or not like in any long
// walk.
//   base64url of: u8 format, u32 checksum of the walk, u32 checksum of the rest, varint shard, sized key, [sized secondary key]
std::string encode_page_token(const Range& walk, const PagePosition& position);
// Fails with invalid_argument when it is no token, or one of another walk.
Result<PagePosition> decode_page_token(const Range& walk, std::string_view token);
// Where one shard goes on.
WalkPosition resume_at(ShardId shard, PagePosition position);

}   // namespace skerry::store
