// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <vector>

#include "base/bytes.hpp"
#include "control/metadata.hpp"

namespace skerry::control {

// The items of one provider, and what they take. A value.
class MetadataTable {
 public:
  MetadataTable() = default;
  explicit MetadataTable(MetadataItems items);

  // Fails with resource_exhausted when the changes, or all items after them, would be larger than limits allow; `coming` bytes of
  // others may be added before.
  Result<> check(const std::vector<MetadataChange>& changes, std::size_t coming = 0) const;
  void apply(const std::vector<MetadataChange>& changes);

  const MetadataItems& items() const { return items_; }
  const std::string* find(const std::string& key) const;   // null: nothing
  std::size_t bytes() const { return bytes_; }   // of keys and values

 private:
  MetadataItems items_;
  std::size_t bytes_ = 0;
};

// As they stand in files, logs and messages. Reading fails with corrupt.
Bytes encode(const MetadataItems& items);
Result<MetadataItems> decode_items(BytesView bytes);
Bytes encode(const std::vector<MetadataChange>& changes);
Result<std::vector<MetadataChange>> decode_changes(BytesView bytes);

}   // namespace skerry::control
