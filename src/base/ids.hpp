// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace skerry {

// An integer that means one thing only. Ids and indexes of different kinds don't mix, and a bare number doesn't convert.
template <class Tag, class Rep = std::int64_t>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr StrongId next() const { return StrongId(value_ + 1); }
  constexpr StrongId previous() const { return StrongId(value_ - 1); }
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

 private:
  Rep value_{};
};

using ShardId = StrongId<struct ShardIdTag>;              // unique in a cluster, below 2^19 (see SessionId)
using Term = StrongId<struct TermTag>;                    // of a shard's leader; rises with every election or start
using Offset = StrongId<struct OffsetTag>;                // of an entry in a shard's log; dense from 0
using VersionId = StrongId<struct VersionIdTag>;          // of a record; dense in a shard from 0
using SessionId = StrongId<struct SessionIdTag>;          // shard << 44 | offset of the entry that created it
using MembershipVersion = StrongId<struct MembershipVersionTag>;   // rises by one with each step of a shard's membership
using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;   // of a storage node; the coordinator gives it out, once and for good
using CoreId = StrongId<struct CoreIdTag, std::uint32_t>;   // index of a core in its process

constexpr Offset no_offset{-1};   // before the first entry
constexpr Term no_term{-1};

}   // namespace skerry

template <class Tag, class Rep>
struct std::hash<skerry::StrongId<Tag, Rep>> {
  std::size_t operator()(const skerry::StrongId<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
