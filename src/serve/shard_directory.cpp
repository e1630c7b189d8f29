// SPDX-License-Identifier: Apache-2.0
#include "serve/shard_directory.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace skerry::serve {

std::vector<ShardPlace> even_ranges(ShardId first, std::uint32_t count) {
  SKERRY_ASSERT(count > 0);
  constexpr std::uint64_t last_hash = 0xFFFF'FFFF;
  const std::uint64_t bucket = last_hash / count + 1;
  std::vector<ShardPlace> places(count);
  for (std::uint64_t at = 0; at < count; ++at) {
    ShardPlace& place = places[at];
    place.shard = ShardId(first.value() + static_cast<std::int64_t>(at));
    place.hash_min = static_cast<std::uint32_t>(at * bucket);
    place.hash_max = static_cast<std::uint32_t>(at + 1 == count ? last_hash : (at + 1) * bucket - 1);
  }
  return places;
}

void ShardDirectory::set(std::shared_ptr<const Assignments> assignments) {
  const auto before = std::exchange(assignments_, std::move(assignments));
  places_.clear();
  namespaces_.clear();
  for (const auto& [name, places] : assignments_->namespaces) {
    for (const ShardPlace& place : places) {
      places_.emplace(place.shard, &place);
      namespaces_.emplace(place.shard, name);
    }
  }
  if (before) note_retired(*before);
  changed_.wake_all();
}

void ShardDirectory::note_retired(const Assignments& before) {
  for (const auto& [name, places] : before.namespaces) {
    for (const ShardPlace& place : places)
      if (!places_.contains(place.shard)) retired_[place.shard] = {name, place.hash_min, place.hash_max};
  }
  std::erase_if(retired_, [this](const auto& each) { return places_.contains(each.first); });   // it was only missing for a while
  while (retired_.size() > retired_max) retired_.erase(retired_.begin());
}

std::vector<ShardPlace> ShardDirectory::heirs_of(ShardId retired) const {
  std::vector<ShardPlace> heirs;
  if (retired_.empty()) return heirs;
  const auto known = retired_.find(retired);
  if (known == retired_.end() || !assignments_) return heirs;
  const auto places = assignments_->namespaces.find(known->second.name_space);
  if (places == assignments_->namespaces.end()) return heirs;
  for (const ShardPlace& place : places->second) {
    if (place.shard > retired && place.hash_min <= known->second.hash_max && known->second.hash_min <= place.hash_max)
      heirs.push_back(place);
  }
  return heirs;
}

std::vector<ShardPlace> ShardDirectory::heirs_alone_of(ShardId retired) const {
  std::vector<ShardPlace> heirs = heirs_of(retired);
  const auto is_within = [&](const ShardPlace& heir) {
    const Retired& whole = retired_.at(retired);
    return whole.hash_min <= heir.hash_min && heir.hash_max <= whole.hash_max;
  };
  if (!std::ranges::all_of(heirs, is_within)) heirs.clear();
  return heirs;
}

Task<> ShardDirectory::wait_changed(std::shared_ptr<const Assignments> known) const {
  while (assignments_ == known) co_await changed_.wait();
}

std::string_view ShardDirectory::namespace_of(ShardId shard) const {
  const auto found = namespaces_.find(shard);
  return found == namespaces_.end() ? std::string_view() : found->second;
}

const ShardPlace* ShardDirectory::find(ShardId shard) const {
  const auto found = places_.find(shard);
  return found == places_.end() ? nullptr : found->second;
}

}   // namespace skerry::serve
