// SPDX-License-Identifier: Apache-2.0
#include "control/growth.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::control {

void Growth::look() {
  if (!desk_.config || !desk_.config->auto_split.enabled) {
    since_.clear();
    next_look_ = TimePoint::max();
    return;
  }
  const AutoSplit& rules = desk_.config->auto_split;
  if (next_look_ != TimePoint::max() && desk_.now < next_look_) return;
  next_look_ = desk_.now + std::min({rules.interval, std::max<Duration>(rules.stable / 2, 100ms)});
  std::map<std::string, std::uint32_t> shards;
  std::set<std::string> busy;   // in a reshape
  for (const auto& [id, shard] : desk_.book.status().shards) {
    if (shard.state != ShardState::deleting && !desk_.is_child(id)) ++shards[shard.name_space];
    if (shard.reshaped_with) busy.insert(shard.name_space);
    watch(id);
  }
  std::erase_if(since_, [this](const auto& each) { return desk_.book.find(each.first) == nullptr; });
  std::map<std::string, ShardId> due;
  for (const auto& [id, since] : since_) {
    const std::string& name = desk_.book.find(id)->name_space;
    const auto pause = not_before_.find(name);
    const bool may =
        !busy.contains(name) && shards[name] < rules.shards_max && (pause == not_before_.end() || desk_.now >= pause->second);
    if (may && desk_.now - since >= rules.stable) due.try_emplace(name, id);
  }
  for (const auto& [name, id] : due) split(id);
}

void Growth::watch(ShardId id) {
  if (why_too_much(id).empty()) {
    since_.erase(id);
  } else {
    since_.try_emplace(id, desk_.now);
  }
}

std::string Growth::why_too_much(ShardId id) const {
  const ShardStatus& shard = *desk_.book.find(id);
  const auto load = desk_.reports.load(id);
  if (!load || shard.state == ShardState::deleting || shard.reshaped_with) return {};
  const AutoSplit& rules = desk_.config->auto_split;
  if (load->bytes > std::uint64_t{rules.shard_mebibytes_max} << 20) {
    return fmt::format("it holds {} MiB, more than {}", load->bytes >> 20, rules.shard_mebibytes_max);
  }
  if (load->operations > rules.shard_operations_max) {
    return fmt::format("it is asked {:.0f} times a second, more than {}", load->operations, rules.shard_operations_max);
  }
  return {};
}

void Growth::split(ShardId id) {
  const std::string name = desk_.name_of(id), why = why_too_much(id);
  not_before_[desk_.book.find(id)->name_space] = desk_.now + desk_.config->auto_split.cooldown;
  since_.erase(id);
  const auto begun = reshapes_.split(id, std::nullopt);
  if (begun) {
    desk_.inform(fmt::format("{}: is split by itself: {}", name, why));
  } else {
    desk_.warn(fmt::format("{}: is to be split, as {}; not now: {}", name, why, begun.error().text));
  }
}

}  // namespace skerry::control
