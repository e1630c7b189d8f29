// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/change_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"

namespace skerry::sim {

void ChangeLog::changed(const std::string& key, VersionId version) {
  std::vector<Told>& told = told_[key];
  if (!told.empty() && told.back().version >= version && out_of_order_.empty()) {
    out_of_order_ =
        fmt::format("{}: the change to version {} was told after that to {}", key, version.value(), told.back().version.value());
  }
  told.push_back({version, size_++});
}

void ChangeLog::missed(const control::HashRange& hashes) { gaps_.push_back({hashes, size_}); }

bool ChangeLog::covered(const std::string& key, std::size_t from, std::size_t to) const {
  const std::uint32_t hash = key_hash(key);
  return std::ranges::any_of(
      gaps_, [&](const Gap& gap) { return gap.hashes.min <= hash && hash <= gap.hashes.max && from <= gap.at && gap.at <= to; });
}

std::string ChangeLog::violation(const History& history, TimePoint since) const {
  if (!out_of_order_.empty()) return out_of_order_;
  static const std::vector<Told> nothing;
  for (const History::Operation& put : history.operations()) {
    if (put.kind != History::Operation::Kind::put || !put.version || put.began <= since) continue;
    const auto found = told_.find(put.key);
    const std::vector<Told>& told = found == told_.end() ? nothing : found->second;
    const auto next = std::ranges::lower_bound(told, *put.version, {}, &Told::version);
    if (next != told.end() && next->version == *put.version) continue;
    const std::size_t from = next == told.begin() ? 0 : std::prev(next)->at + 1;
    const std::size_t to = next == told.end() ? size_ : next->at;
    if (covered(put.key, from, to)) continue;
    return fmt::format("{}: the change to version {}, put at {} ms, was never told; told before it was {}, after it {}", put.key,
                       put.version->value(), put.began.time_since_epoch() / 1ms,
                       next == told.begin() ? "nothing" : fmt::to_string(std::prev(next)->version.value()),
                       next == told.end() ? "nothing" : fmt::to_string(next->version.value()));
  }
  return "";
}

}  // namespace skerry::sim
