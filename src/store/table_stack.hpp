// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "store/table.hpp"

namespace skerry::store {

// How one memory budget is divided.
struct TableLimits {
  // The budget covers tables, the database's block cache, and up to 40 MiB that writing tables and compaction take meanwhile.
  // `replay_bytes_max`: what a start may have to replay from the log.
  static TableLimits of(std::uint64_t budget, std::uint64_t replay_bytes_max);

  std::uint64_t budget = 0;                // without what background work takes
  std::uint64_t active_bytes_due = 0;      // then it is frozen, unless most of what is written is in it already
  std::uint64_t active_bytes_max = 0;      // then in any case
  std::uint64_t applied_bytes_max = 0;     // keys and values since the last freeze: the same
  std::uint64_t unwritten_bytes_max = 0;   // active and frozen; beyond, there is no room
  std::uint64_t tables_bytes_max = 0;      // with those kept as a cache
  std::uint64_t loaded_bytes_min = 0;      // for records brought in from the database, whatever the tables take
  std::uint64_t blocks_bytes_min = 0;      // the block cache's part, whatever the tables take
};

// The tables of an engine, from new to old: the active one, which takes writes; frozen ones, on their way into the database,
// oldest first; written ones, which the database holds too and which are kept for their records as long as memory allows and
// somebody may read them there; and records that were loaded from the database. A read asks them in this order, and then the
// database. The core's.
class TableStack {
 public:
  struct Kept {
    std::shared_ptr<const Table> table;
    std::size_t hidden = 0;        // of its entries, those that a newer table has too
    mutable bool was_read = false;   // since it isn't the active one any more
    Table::Found read(BytesView key, std::uint32_t hash, BytesView& value) const {
      const Table::Found found = table->find(key, hash, value);
      was_read = was_read || found != Table::Found::nothing;
      return found;
    }
  };
  struct Frozen : Kept {
    std::uint64_t number;   // rises by one from table to table
    std::vector<std::pair<ShardId, Offset>> offsets;   // what shards it stands for, and their last entries in it
  };
  static constexpr std::size_t frozen_max = 4;   // more: no room

  explicit TableStack(TableLimits limits) : limits_(limits) {}

  // --- writes
  void put(BytesView key, BytesView value) { put(key, table_hash(key), value); }
  void put(BytesView key, std::uint32_t hash, BytesView value);
  void erase(BytesView key) { erase(key, table_hash(key)); }
  void erase(BytesView key, std::uint32_t hash);
  void erase_range(BytesView start, BytesView end);
  // Whether the active table should be frozen.
  bool full() const;
  // Whether more should be written.
  bool has_room() const;
  // Whether that will not end soon.
  bool has_much_room() const;
  bool dirty() const { return !active_->empty(); }
  // The active table becomes the newest frozen one. Requires: dirty, and the offsets are in it.
  void freeze(std::vector<std::pair<ShardId, Offset>> offsets);

  // --- the way to disk
  const std::deque<Frozen>& frozen() const { return frozen_; }
  std::uint64_t frozen_number() const { return frozen_number_; }   // of the newest that was frozen
  std::uint64_t written_number() const { return written_number_; }   // of the newest that the database holds
  void oldest_is_written();

  // --- reads
  // What the tables say about the key; Table::Found::nothing: the database has to be asked.
  Table::Found find(BytesView key, BytesView& value) const;
  // Says which keys are asked for next (of writes: written), at most Table::expected_max. Changes `hashes`.
  void expect(std::span<std::uint32_t> hashes) const;
  void expect_writes(std::span<std::uint32_t> hashes) const { active_->expect(hashes); }
  // The state at this moment, as far as the database surely hasn't got it; the newest first.
  std::vector<std::unique_ptr<Table::Walk>> walks() const;
  // Keeps what was read from the database (nothing: it isn't there), if the tables still say what they did then.
  std::uint64_t loads_number() const { return loads_number_; }
  void keep_loaded(std::uint64_t loads_number, BytesView key, std::optional<BytesView> value);
  // How much records that were loaded may take: what the tables leave, also of what the active one has not taken yet.
  std::uint64_t loaded_bytes_max() const;
  // Lets go of what only saves a read and for which the active table, which has grown, leaves no room.
  void shed();

  // --- memory
  // What is left of the budget for the database's blocks.
  std::uint64_t blocks_bytes() const;
  // Tables that were let go, to be destroyed where that holds up nobody.
  std::vector<std::shared_ptr<const Table>> take_discarded() { return std::exchange(discarded_, {}); }
  bool has_discarded() const { return !discarded_.empty(); }
  std::uint64_t active_bytes() const { return active_->bytes(); }
  std::uint64_t frozen_bytes() const { return frozen_bytes_; }
  std::uint64_t written_bytes() const { return written_bytes_; }
  std::uint64_t loaded_bytes() const { return loaded_->bytes() + loaded_before_->bytes(); }
  std::size_t written_tables() const { return written_.size(); }
  const TableLimits& limits() const { return limits_; }

 private:
  static constexpr std::size_t written_max = 4;   // each costs a read that misses
  static constexpr std::size_t fragments_max = 8192;   // a cursor may cause a copy of them
  void note_write(BytesView key, std::uint32_t hash, std::size_t entries_before);
  void note_hidden(BytesView key, std::uint32_t hash);
  std::uint64_t taken() const { return active_->bytes() + frozen_bytes_ + written_bytes_ + loaded_bytes(); }
  static bool is_useless(const Kept& written);
  void drop_oldest_written();
  void forget_loaded();
  void forget(std::shared_ptr<Table>& loaded);
  void discard(std::shared_ptr<const Table> table) { discarded_.push_back(std::move(table)); }

  const TableLimits limits_;
  std::shared_ptr<Table> active_ = std::make_shared<Table>();
  std::deque<Frozen> frozen_;   // the oldest first
  std::deque<Kept> written_;    // the newest first
  static std::shared_ptr<Table> make_loaded() { return std::make_shared<Table>(Table::Walked::no); }
  std::shared_ptr<Table> loaded_ = make_loaded(), loaded_before_ = make_loaded();
  std::vector<std::shared_ptr<const Table>> discarded_;
  std::uint64_t frozen_bytes_ = 0, written_bytes_ = 0;
  // Of the active table: bytes and writes; what they were when it was last looked at whether most of them meet what is there.
  std::uint64_t applied_bytes_ = 0, writes_ = 0, bytes_at_look_ = 0, writes_at_look_ = 0, entries_at_look_ = 0;
  bool rewriting_ = false;
  std::uint64_t frozen_number_ = 0, written_number_ = 0, loads_number_ = 0;
  WriteNumber last_ = 0;
};

}   // namespace skerry::store
