// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <vector>

#include "runtime/random.hpp"
#include "store/engine.hpp"

namespace skerry::store::testing {

struct OwnedWrite {
  Write::Kind kind;
  Space space;
  Bytes key, value;
  Write view() const { return {kind, space, key, value}; }
};
using OwnedEntry = std::vector<OwnedWrite>;

inline void apply_to(ShardEngine& shard, const OwnedEntry& entry, Offset offset) {
  std::vector<Write> writes;
  for (const OwnedWrite& write : entry) writes.push_back(write.view());
  shard.apply(writes, offset);
}

// What an engine must hold, as plainly as can be: every entry, and a copy of the whole state after each; and the states that took
// the place of others.
class ShardModel {
 public:
  using Table = std::map<Bytes, Bytes>;
  using State = std::map<Space, Table>;

  void apply(OwnedEntry entry) {
    State next = now();
    for (const OwnedWrite& write : entry) change(next[write.space], write);
    const Offset offset = applied().next();
    states_.emplace(offset, std::move(next));
    entries_.emplace(offset, std::move(entry));
  }
  // Requires: above applied().
  void replace(State state, Offset offset) {
    states_.emplace(offset, std::move(state));
    replaced_ = offset;
  }
  Offset applied() const { return states_.rbegin()->first; }
  Offset replaced() const { return replaced_; }   // when the state became another the last time; no_offset: never
  const State& now() const { return states_.rbegin()->second; }
  const State& at(Offset offset) const { return states_.at(offset); }
  const OwnedEntry& entry(Offset offset) const { return entries_.at(offset); }

 private:
  static void change(Table& table, const OwnedWrite& write) {
    switch (write.kind) {
      case Write::Kind::put: table[write.key] = write.value; break;
      case Write::Kind::erase: table.erase(write.key); break;
      case Write::Kind::erase_range:
        if (write.key < write.value) table.erase(table.lower_bound(write.key), table.lower_bound(write.value));
        break;
    }
  }
  std::map<Offset, State> states_{{no_offset, State{}}};
  std::map<Offset, OwnedEntry> entries_;
  Offset replaced_ = no_offset;
};

// Keys collide often, lie next to each other, and hold the bytes that break encodings.
inline Bytes random_key(Random& random) {
  static constexpr char bytes[] = {'\0', '\x01', 'a', 'b', '/', '\xFE', '\xFF'};
  Bytes key;
  for (std::uint64_t length = random.below(4); key.size() <= length;) key.push_back(bytes[random.below(sizeof bytes)]);
  return key;
}

inline OwnedEntry random_entry(Random& random) {
  static constexpr Space spaces[] = {Space::records,  Space::records, Space::indexes,
                                     Space::sessions, Space::meta,    Space::expiries};
  OwnedEntry entry;
  for (std::uint64_t left = 1 + random.below(6); left > 0; --left) {
    OwnedWrite write{Write::Kind::put, spaces[random.below(std::size(spaces))], random_key(random), {}};
    if (random.chance(0.25)) {
      write.kind = Write::Kind::erase;
    } else if (random.chance(0.05)) {
      write.kind = Write::Kind::erase_range;
      write.value = random_key(random);
    } else {
      write.value.assign(random.chance(0.05) ? random.below(20'000) : random.below(200), static_cast<char>(random.next()));
    }
    entry.push_back(std::move(write));
  }
  return entry;
}

}   // namespace skerry::store::testing
