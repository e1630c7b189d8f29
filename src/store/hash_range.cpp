// SPDX-License-Identifier: Apache-2.0
#include "store/hash_range.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "store/reshape_error.hpp"

namespace skerry::store {

Result<std::size_t> owner_of(std::span<const HashRange> children, BytesView key, const RecordView& record) {
  const std::uint32_t hash = key_hash(record.partition_key ? *record.partition_key : key);
  const auto found = std::ranges::find_if(children, [hash](const HashRange& each) { return each.contains(hash); });
  if (found != children.end()) return static_cast<std::size_t>(found - children.begin());
  return fail(ReshapeError::foreign_records,
              fmt::format("the record under {} has a hash of {:#010x}, which is not the shard's: a client that hashes keys in "
                          "another way wrote it; delete it, or write it again with a current client",
                          printable(key, 128), hash));
}

}  // namespace skerry::store
