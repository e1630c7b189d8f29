// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_items.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

enum class ChangeKind : std::uint8_t { erase, set };

std::size_t size_of(const MetadataChange& change) { return change.key.size() + (change.value ? change.value->size() : 0); }

}  // namespace

MetadataTable::MetadataTable(MetadataItems items) : items_(std::move(items)) {
  for (const auto& [key, value] : items_) bytes_ += key.size() + value.size();
}

Result<> MetadataTable::check(const std::vector<MetadataChange>& changes, std::size_t coming) const {
  std::size_t given = 0, after = bytes_;
  for (const MetadataChange& change : changes) {
    given += size_of(change);
    if (change.value) after += size_of(change);
    if (const auto old = items_.find(change.key); old != items_.end()) after -= old->first.size() + old->second.size();
  }
  if (given > limits::metadata_change_bytes_max) {
    return fail(Errc::resource_exhausted,
                fmt::format("a change of {} bytes to the cluster's status is above the limit of {}: make it in parts", given,
                            limits::metadata_change_bytes_max));
  }
  if (after > bytes_ && after + coming > limits::metadata_bytes_max) {
    return fail(
        Errc::resource_exhausted,
        fmt::format("the cluster's status would take {} bytes, above the limit of {}: delete namespaces or nodes that are "
                    "not needed",
                    after, limits::metadata_bytes_max));
  }
  return {};
}

void MetadataTable::apply(const std::vector<MetadataChange>& changes) {
  for (const MetadataChange& change : changes) {
    if (const auto old = items_.find(change.key); old != items_.end()) {
      bytes_ -= old->first.size() + old->second.size();
      items_.erase(old);
    }
    if (!change.value) continue;
    bytes_ += size_of(change);
    items_.emplace(change.key, *change.value);
  }
}

const std::string* MetadataTable::find(const std::string& key) const {
  const auto found = items_.find(key);
  return found == items_.end() ? nullptr : &found->second;
}

Bytes encode(const MetadataItems& items) {
  Bytes out;
  append_varint(out, items.size());
  for (const auto& [key, value] : items) {
    append_sized(out, key);
    append_sized(out, value);
  }
  return out;
}

Result<MetadataItems> decode_items(BytesView bytes) {
  ByteReader reader(bytes);
  MetadataItems items;
  for (std::uint64_t left = reader.varint(); reader.ok() && left > 0; --left) {
    const BytesView key = reader.sized(), value = reader.sized();
    items.emplace_hint(items.end(), key, value);
  }
  if (!reader.done()) return fail(Errc::corrupt, "these are no items of a cluster's status");
  return items;
}

Bytes encode(const std::vector<MetadataChange>& changes) {
  Bytes out;
  append_varint(out, changes.size());
  for (const MetadataChange& change : changes) {
    out.push_back(static_cast<char>(change.value ? ChangeKind::set : ChangeKind::erase));
    append_sized(out, change.key);
    if (change.value) append_sized(out, *change.value);
  }
  return out;
}

Result<std::vector<MetadataChange>> decode_changes(BytesView bytes) {
  ByteReader reader(bytes);
  std::vector<MetadataChange> changes;
  for (std::uint64_t left = reader.varint(); reader.ok() && left > 0; --left) {
    const auto kind = static_cast<ChangeKind>(reader.little_endian<std::uint8_t>());
    if (kind > ChangeKind::set) reader.fail();
    MetadataChange change{.key = Bytes(reader.sized()), .value = {}};
    if (kind == ChangeKind::set) change.value = Bytes(reader.sized());
    changes.push_back(std::move(change));
  }
  if (!reader.done()) return fail(Errc::corrupt, "these are no changes of a cluster's status");
  return changes;
}

}  // namespace skerry::control
