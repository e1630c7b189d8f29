// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

#include "replica/membership.hpp"

namespace skerry::sim {

struct SimEntry {
  Term term;
  std::uint64_t value = 0;
  friend bool operator==(const SimEntry&, const SimEntry&) = default;
};

// What a state machine is after one more entry.
constexpr std::uint64_t chain(std::uint64_t state, const SimEntry& entry) {
  std::uint64_t mixed = (state ^ entry.value) * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(entry.term.value());
  mixed ^= mixed >> 29;
  return mixed * 0xBF58476D1CE4E5B9ULL;
}

// What a child's state is, after its parents' at their heads.
constexpr std::uint64_t derive(std::uint64_t left, std::uint64_t right, std::size_t child) {
  return chain(left, {Term(static_cast<std::int64_t>(child)), right});
}

// Sees everything and knows what must not be: a committed entry that is another one elsewhere or missing in a later leader, an
// acknowledged write that a read does not show, two that serve at once. The first thing wrong ends the run.
class Oracle {
 public:
  explicit Oracle(int shards) : shards_(static_cast<std::size_t>(shards)) {}

  // A replica in this term takes the entry at the offset for committed.
  void committed(ShardId shard, Offset offset, const SimEntry& entry, Term in);
  void acknowledged(ShardId shard, Offset offset);
  // A leader answers a read from its state after `applied`.
  void read(ShardId shard, Offset applied, std::uint64_t state);
  // From now on these shards are what the children stand for: nothing is committed in them beyond their heads, and what a child
  // begins with is all of them. Heard again, it must be the same.
  void reshaped(const std::vector<ShardId>& parents, const std::vector<Offset>& heads, const std::vector<ShardId>& children);
  // What the child of such parents begins with.
  std::uint64_t state_of_child(const std::vector<ShardId>& parents, const std::vector<Offset>& heads, std::size_t child) const;
  const std::vector<ShardId>& parents(ShardId shard) const { return of(shard).parents; }
  // Someone's state after this entry.
  void check_state(ShardId shard, Offset offset, std::uint64_t state);
  // Whether a new leader's log holds what was committed in terms before its own. `entry_at` gives nothing for what it lacks, and
  // an entry of no term for what is trimmed: it was applied, and so compared.
  template <class EntryAt>
  void check_leader(ShardId shard, Term term, EntryAt entry_at) {
    const Shard& known = of(shard);
    for (std::size_t at = 0; at < known.entries.size(); ++at) {
      if (known.entries[at].committed_in >= term) continue;
      const auto held = entry_at(Offset(known.base.value() + 1 + static_cast<std::int64_t>(at)));
      if (held && (held->term == no_term || *held == known.entries[at].entry)) continue;
      return fail(fmt::format("shard {}: the leader of term {} lacks entry {}, committed in term {}", shard.value(), term.value(),
                              at, known.entries[at].committed_in.value()));
    }
  }

  void fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }
  const std::string& failure() const { return failure_; }
  Offset last(ShardId shard) const {
    return Offset(of(shard).base.value() + static_cast<std::int64_t>(of(shard).entries.size()));
  }
  Offset acknowledged(ShardId shard) const { return of(shard).acknowledged; }
  std::uint64_t writes() const { return writes_; }
  std::uint64_t reads() const { return reads_; }

 private:
  struct Committed {
    SimEntry entry;
    Term committed_in;   // the first that did
    std::uint64_t state;   // with it
  };
  struct Shard {
    Offset base = no_offset;   // its log begins behind it
    std::uint64_t base_state = 0;
    std::vector<Committed> entries;
    Offset acknowledged = no_offset;
    std::vector<ShardId> parents, children;   // once they stand
  };
  Shard& of(ShardId shard) { return shards_[static_cast<std::size_t>(shard.value())]; }
  const Shard& of(ShardId shard) const { return shards_[static_cast<std::size_t>(shard.value())]; }

  std::uint64_t state_after(ShardId shard, Offset offset) const;

  std::vector<Shard> shards_;
  std::string failure_;
  std::uint64_t writes_ = 0, reads_ = 0;
};

}   // namespace skerry::sim
