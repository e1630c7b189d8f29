// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/oracle.hpp"

#include <algorithm>

namespace skerry::sim {

void Oracle::committed(ShardId shard, Offset offset, const SimEntry& entry, Term in) {
  std::vector<Committed>& entries = of(shard).entries;
  const auto at = static_cast<std::size_t>(offset.value());
  if (at > entries.size()) return fail(fmt::format("shard {}: entry {} is committed before the one before", shard.value(), at));
  if (at == entries.size()) {
    entries.push_back({entry, in, chain(at == 0 ? 0 : entries[at - 1].state, entry)});
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
  if (applied >= of(shard).acknowledged) return;
  fail(fmt::format("shard {}: a read shows entry {} and not {}, which was acknowledged before", shard.value(), applied.value(),
                   of(shard).acknowledged.value()));
}

void Oracle::check_state(ShardId shard, Offset offset, std::uint64_t state) {
  if (offset > last(shard))
    return fail(fmt::format("shard {}: a state has entry {}, which nobody committed", shard.value(), offset.value()));
  const std::uint64_t expected = offset == no_offset ? 0 : of(shard).entries[static_cast<std::size_t>(offset.value())].state;
  if (state != expected) fail(fmt::format("shard {}: two states differ after entry {}", shard.value(), offset.value()));
}

}  // namespace skerry::sim
