// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <variant>

#include "store/shard_state.hpp"
#include "store/state_machine.hpp"

namespace skerry::store {

// Reads of committed state that answer at once, or tell what must be loaded first. Lives for one call of StateMachine.
class Reads {
 public:
  using GetResult = std::variant<GetOutcome, Needs, Error>;
  explicit Reads(const ShardState& state) : state_(state) {}
  GetResult get(const Get& get);
  std::variant<std::optional<Bytes>, Needs, Error> highest_sequence_key(BytesView prefix);

 private:
  enum class Move : std::uint8_t { below, at_or_above };
  bool move(Cursor& cursor, Space space, BytesView bound, Move move);   // whether it stands on a record now
  bool settled(const Cursor& cursor, Space space, BytesView bound, Move move);
  std::optional<BytesView> find(Space space, BytesView key);
  bool owner_stands(BytesView value, BytesView primary);
  GetResult finish(GetOutcome outcome);
  GetOutcome show(BytesView encoded, bool include_value);

  GetOutcome equal(const Get& get);
  GetOutcome internal(const Get& get);
  GetOutcome nearest(const Get& get);
  GetOutcome by_index(const Get& get);
  std::optional<IndexEntry> entry_from(Cursor& cursor, BytesView index, const Bytes& bound, BytesView other_than);
  std::optional<IndexEntry> entry_equal(Cursor& cursor, const Bytes& bound, BytesView secondary);
  std::optional<IndexEntry> entry_below(Cursor& cursor, BytesView index, const Bytes& bound);
  std::optional<IndexEntry> live_entry(const Cursor& cursor);

  const ShardState& state_;
  Needs needs_;
  std::optional<Error> error_;
};

}  // namespace skerry::store
