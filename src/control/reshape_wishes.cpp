// SPDX-License-Identifier: Apache-2.0
// How reshapes begin, and what is said of them.
#include <fmt/format.h>

#include <algorithm>

#include "control/reshape_limits.hpp"
#include "control/reshapes.hpp"

namespace skerry::control {

Result<> Reshapes::check_parent(ShardId id) const {
  const ShardStatus& shard = *desk_.book.find(id);
  const std::string name = desk_.name_of(id);
  if (shard.reshaped_with) {
    return fail(Errc::unavailable,
                fmt::format("{} is being split or merged already: wait until `shard list` says it has ended", name));
  }
  if (shard.state != ShardState::steady) return fail(Errc::unavailable, fmt::format("{} has no leader now: try again", name));
  if (!shard.wanted.empty() || shard.members.joint() || !shard.members.learners.empty()) {
    return fail(Errc::unavailable, fmt::format("the replicas of {} are being moved: wait until that has ended", name));
  }
  return {};
}

Result<std::vector<ShardId>> Reshapes::split(ShardId id, std::optional<std::uint32_t> point) {
  TRYV(check_parent(id));
  const HashRange hashes = desk_.book.find(id)->hashes;
  const std::string name = desk_.name_of(id);
  if (hashes.min == hashes.max) return fail(Errc::invalid_argument, fmt::format("{} has one hash only and can't be split", name));
  const std::uint32_t second = point.value_or(hashes.min + (hashes.max - hashes.min) / 2 + 1);
  if (second <= hashes.min || second > hashes.max) {
    return fail(Errc::invalid_argument,
                fmt::format("the split point of {} is the first hash of its second half: above {} and not above {}", name,
                            hashes.min, hashes.max));
  }
  return begin({id}, {{hashes.min, second - 1}, {second, hashes.max}});
}

Result<std::vector<ShardId>> Reshapes::merge(ShardId left, ShardId right) {
  TRYV(check_parent(left));
  TRYV(check_parent(right));
  const ShardStatus& one = *desk_.book.find(left);
  const ShardStatus& other = *desk_.book.find(right);
  if (one.name_space != other.name_space) {
    return fail(Errc::invalid_argument,
                fmt::format("{} and {} are of two namespaces", desk_.name_of(left), desk_.name_of(right)));
  }
  if (one.hashes.max == UINT32_MAX || other.hashes.min != one.hashes.max + 1) {
    return fail(
        Errc::invalid_argument,
        fmt::format("the hashes of {} end at {}, those of {} begin at {}: only neighbours are merged, the lower one named first",
                    desk_.name_of(left), one.hashes.max, desk_.name_of(right), other.hashes.min));
  }
  return begin({left, right}, {{one.hashes.min, other.hashes.max}});
}

Result<> Reshapes::cancel(ShardId shard) {
  const ReshapeStatus* reshape = desk_.reshape_of(shard);
  if (reshape == nullptr)
    return fail(Errc::invalid_argument, fmt::format("{} is not being split or merged", desk_.name_of(shard)));
  if (reshape->phase == Phase::electing) {
    return fail(Errc::invalid_argument,
                fmt::format("{} can't be stopped any more: the new shards stand on a majority of the nodes and get their leaders",
                            words_for(*reshape)));
  }
  give_up(reshape->parents.front(), "somebody wished it");
  return {};
}

void Reshapes::make_way(ShardId shard, const std::string& why) {
  const ReshapeStatus* reshape = desk_.reshape_of(shard);
  if (reshape != nullptr && reshape->phase == Phase::preparing) give_up(reshape->parents.front(), why);
}

Result<std::vector<ShardId>> Reshapes::begin(std::vector<ShardId> parents, std::vector<HashRange> ranges) {
  const ShardId first = parents.front();
  if (desk_.book.status().next_shard.value() + static_cast<std::int64_t>(ranges.size()) > limits::shard_ids_max) {
    return fail(Errc::resource_exhausted, fmt::format("the cluster has given out its {} shard numbers", limits::shard_ids_max));
  }
  ReshapeStatus reshape{.phase = Phase::preparing, .parents = parents, .children = {}, .heads = {}};
  for (const HashRange& hashes : ranges) {
    ShardStatus child{.name_space = desk_.book.find(first)->name_space, .hashes = hashes};
    child.state = ShardState::fenced;
    child.members.version = MembershipVersion(1);
    child.members.voters = desk_.book.find(first)->members.voters;
    child.reshaped_with = first;
    reshape.children.push_back(desk_.book.add(std::move(child)));
  }
  for (const ShardId parent : parents) {
    desk_.book.edit(parent).reshaped_with = first;
    given_up_.erase(parent);
  }
  std::vector<ShardId> children = reshape.children;
  desk_.book.edit(first).reshape = std::move(reshape);
  desk_.inform(fmt::format("{}: {} begins", desk_.name_of(first), words_for(of(first))));
  desk_.look_when_stored(first);
  return children;
}

// --- words

std::string Reshapes::words_for(const ReshapeStatus& reshape) const {
  if (reshape.is_split()) {
    return fmt::format("the split into shards {} and {}", reshape.children.front().value(), reshape.children.back().value());
  }
  return fmt::format("the merge of shards {} and {} into {}", reshape.parents.front().value(), reshape.parents.back().value(),
                     reshape.children.front().value());
}

std::string Reshapes::missing(const std::map<NodeId, Asked>& asked, ShardId first) const {
  std::string text;
  for (const NodeId node : desk_.book.find(first)->members.voters) {
    const auto found = asked.find(node);
    if (found != asked.end() && found->second.done) continue;
    text += (text.empty() ? "" : ", ") + desk_.name_of(node);
    if (found != asked.end() && !found->second.trouble.empty()) text += fmt::format(" ({})", found->second.trouble);
  }
  return text;
}

std::string Reshapes::why_preparing(ShardId first) const {
  for (const ShardId parent : of(first).parents) {
    const ShardStatus& shard = *desk_.book.find(parent);
    if (!shard.wanted.empty()) return fmt::format("waits until {} is on {}", desk_.name_of(parent), desk_.names_of(shard.wanted));
  }
  const auto work = works_.find(first);
  if (work == works_.end()) return "begins";
  const std::string open = missing(work->second.copies, first);
  return open.empty() ? "waits until its members are settled and served" : "waits for the prepared copies of " + open;
}

std::string Reshapes::waits_for(ShardId first) const {
  const ReshapeStatus& reshape = of(first);
  const auto work = works_.find(first);
  if (reshape.phase == Phase::preparing) return why_preparing(first);
  if (reshape.phase == Phase::electing || work == works_.end()) return "waits until all it makes is led";
  if (reshape.phase == Phase::reshaping) {
    return "waits for a majority of the copies; missing on " + missing(work->second.copies, first);
  }
  std::string open;
  for (const ShardId parent : reshape.parents) {
    const auto seal = work->second.seals.find(parent);
    if (seal != work->second.seals.end() && seal->second.head) continue;
    open += (open.empty() ? "" : ", ") + desk_.name_of(parent);
    if (seal != work->second.seals.end() && !seal->second.asked.trouble.empty()) {
      open += fmt::format(" ({})", seal->second.asked.trouble);
    }
  }
  return "waits until the writes of " + open + " have ended";
}

std::string Reshapes::why_not_yet(ShardId id) const {
  const ReshapeStatus* reshape = desk_.reshape_of(id);
  return reshape == nullptr ? std::string() : words_for(*reshape) + ": " + waits_for(reshape->parents.front());
}

std::string Reshapes::why_given_up(ShardId shard) const {
  const auto found = given_up_.find(shard);
  return found == given_up_.end() ? std::string() : found->second;
}

}  // namespace skerry::control
