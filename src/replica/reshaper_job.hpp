// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "replica/reshaper.hpp"
#include "store/state_catch_up.hpp"

// What a Reshaper works on; for its own files.
namespace skerry::replica {

inline constexpr std::size_t copied_chunk_bytes = 256 << 10;
inline constexpr int rounds_max = 16;   // of a preparation, after a parent that is written to faster than is copied
inline constexpr std::int64_t entries_left = 64;   // that a preparation need not follow any more

// The children of a split, as far as they have come. Dropped when something failed: then it begins anew.
struct Reshaper::Copy {
  struct Child {
    ShardId shard;
    std::unique_ptr<store::StateMachine> machine;
    store::EntrySplit entries;
  };
  std::vector<Child> children;
  Offset applied = no_offset;   // of the parent's entries, in the children's states
};

// The child of a merge, staged as far as it has come. Dropped when something failed, as that.
struct Reshaper::Union {
  std::vector<Offset> copied;   // of each parent
  store::StateCatchUp catch_up;
};

struct Reshaper::Job {
  explicit Job(Core& core) : ended(core) {}
  std::vector<ShardId> parents, children;
  std::optional<Copy> copy;
  std::optional<Union> both;
  std::optional<TaskScope::Handle> task;   // while it runs
  std::uint64_t runs = 0;   // that have ended
  Result<> result;   // of the last
  WaitList ended;
};

}   // namespace skerry::replica
