// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/oracle.hpp"

#include <algorithm>

namespace skerry::sim {

void Oracle::committed(ShardId shard, Offset offset, const SimEntry& entry, Term in) {
  Shard& known = of(shard);
  std::vector<Committed>& entries = known.entries;
  if (offset <= known.base) return fail(fmt::format("shard {}: entry {} is not its own", shard.value(), offset.value()));
  const auto at = static_cast<std::size_t>(offset.value() - known.base.value() - 1);
  if (at > entries.size()) return fail(fmt::format("shard {}: entry {} is committed before the one before", shard.value(), at));
  if (at == entries.size()) {
    if (!known.children.empty())
      return fail(fmt::format("shard {}: entry {} is committed after it was reshaped", shard.value(), offset.value()));
    entries.push_back({entry, in, chain(at == 0 ? known.base_state : entries[at - 1].state, entry)});
  } else if (entries[at].entry != entry) {
    fail(fmt::format("shard {}: entry {} was committed in term {} and is another one in term {}", shard.value(), at,
                     entries[at].committed_in.value(), in.value()));
  } else {
    entries[at].committed_in = std::min(entries[at].committed_in, in);
  }
}

void Oracle::acknowledged(ShardId shard, Offset offset) {
  ++writes_;
  if (offset > last(shard))
    return fail(fmt::format("shard {}: entry {} is acknowledged and not committed", shard.value(), offset.value()));
  of(shard).acknowledged = std::max(of(shard).acknowledged, offset);
}

void Oracle::read(ShardId shard, Offset applied, std::uint64_t state) {
  ++reads_;
  check_state(shard, applied, state);
  for (const ShardId child : of(shard).children) {
    if (of(child).acknowledged > of(child).base) {
      return fail(fmt::format("shard {}: it is read, and writes to shard {} were acknowledged", shard.value(), child.value()));
    }
  }
  if (applied >= of(shard).acknowledged) return;
  fail(fmt::format("shard {}: a read shows entry {} and not {}, which was acknowledged before", shard.value(), applied.value(),
                   of(shard).acknowledged.value()));
}

void Oracle::check_state(ShardId shard, Offset offset, std::uint64_t state) {
  if (offset > last(shard))
    return fail(fmt::format("shard {}: a state has entry {}, which nobody committed", shard.value(), offset.value()));
  if (offset < of(shard).base)
    return fail(fmt::format("shard {}: a state ends at {}, before the shard began", shard.value(), offset.value()));
  if (state != state_after(shard, offset))
    fail(fmt::format("shard {}: two states differ after entry {}", shard.value(), offset.value()));
}

std::uint64_t Oracle::state_after(ShardId shard, Offset offset) const {
  const Shard& known = of(shard);
  if (offset <= known.base) return known.base_state;
  return known.entries[static_cast<std::size_t>(offset.value() - known.base.value() - 1)].state;
}

std::uint64_t Oracle::state_of_child(const std::vector<ShardId>& parents, const std::vector<Offset>& heads,
                                     std::size_t child) const {
  return derive(state_after(parents.front(), heads.front()), state_after(parents.back(), heads.back()), child);
}

void Oracle::reshaped(const std::vector<ShardId>& parents, const std::vector<Offset>& heads,
                      const std::vector<ShardId>& children) {
  for (std::size_t i = 0; i < parents.size(); ++i) {
    Shard& parent = of(parents[i]);
    if (last(parents[i]) > heads[i] || parent.acknowledged > heads[i]) {
      return fail(fmt::format("shard {}: entry {} is committed, and only {} entries were copied", parents[i].value(),
                              last(parents[i]).value(), heads[i].value()));
    }
    // A head is vouched for as committed; whoever has heard of that has not said so yet.
    if (last(parents[i]) < heads[i]) return fail(fmt::format("shard {}: what was copied is not committed", parents[i].value()));
    parent.children = children;
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    Shard& child = of(children[i]);
    if (!child.parents.empty()) continue;
    child.parents = parents;
    child.base = child.acknowledged = std::ranges::max(heads);
    child.base_state = state_of_child(parents, heads, i);
  }
}

}  // namespace skerry::sim
