// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/intrusive/list.hpp>
#include <memory>
#include <span>

#include "store/table_arena.hpp"
#include "store/table_entry.hpp"
#include "store/table_fragments.hpp"
#include "store/table_index.hpp"
#include "store/table_order.hpp"

namespace skerry::store {

// What was written to an engine in one stretch of time, over what is below it: values, erased keys, erased ranges. Found by hash,
// walked in order. A walk sees the state at its creation: a value is overwritten in place unless a walk may still see it.
// Written by one core. Once it is written no more (frozen), other threads may read what is newest in it; walks stay the core's.
class Table {
 public:
  // Of one that is never walked, and so never written either, the order need not be kept.
  enum class Walked : bool { no, yes };
  explicit Table(Walked walked = Walked::yes) : walked_(walked) {}

  // Numbers never fall from call to call. Two writes with one number: the later counts.
  void put(BytesView key, std::uint32_t hash, BytesView value, WriteNumber number);
  void erase(BytesView key, std::uint32_t hash, WriteNumber number);
  void erase_range(BytesView start, BytesView end, WriteNumber number);

  enum class Found : std::uint8_t {
    nothing,   // this table doesn't know: look below
    value,
    erased,
  };
  // The newest; `value` is borrowed until the next write.
  Found find(BytesView key, std::uint32_t hash, BytesView& value) const;

  // Whether the key was written or erased here, other than by an erased range.
  bool has_entry(BytesView key, std::uint32_t hash) const { return index_.find(key, hash) != nullptr; }

  // Brings what finding or writing these keys touches into the nearest caches, all at once. What is not in this table stays in
  // `hashes`; returns how many those are.
  std::size_t expect(std::span<std::uint32_t> hashes) const;
  static constexpr std::size_t expected_max = 32;

  bool empty() const { return index_.size() == 0 && fragments_->empty(); }
  std::size_t entries() const { return index_.size(); }
  std::size_t bytes() const { return arena_.mapped_bytes() + index_.bytes(); }
  const TableOrder& order() const { return order_; }
  const TableFragments& fragments() const { return *fragments_; }
  // Of an entry, the newest: null when a range deletion took it.
  const TableVersion* newest(const TableEntry& entry) const;

  class Walk;

 private:
  using Pin = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  TableEntry* make_entry(BytesView key, std::uint32_t hash);
  void write(BytesView key, std::uint32_t hash, BytesView value, bool erased, WriteNumber number);
  TableVersion* make_version(std::size_t capacity);
  BytesView keep(BytesView key);

  const Walked walked_;
  TableArena arena_;
  TableIndex index_{arena_};
  TableOrder order_{arena_};
  std::shared_ptr<TableFragments> fragments_ = std::make_shared<TableFragments>();   // copied when a walk shares it
  // Of the core alone: the walks over this table, the newest last.
  mutable boost::intrusive::list<Walk, boost::intrusive::base_hook<Pin>, boost::intrusive::constant_time_size<false>> walks_;
};

// Walks over the entries of a table as of its creation: all of them, one at a time, whatever can be seen of each, so that
// whoever moves it can pause. Keeps the table alive. The core's.
class Table::Walk final : public Pin {
 public:
  enum class Sight : std::uint8_t {
    nothing,   // written since: as if it weren't there
    value,
    erased,   // in this table and all below
  };
  Walk(std::shared_ptr<const Table> table, WriteNumber as_of);
  void seek(BytesView key) { stand(table_->order_.at_or_above(key)); }
  void seek_below(BytesView key) { stand(table_->order_.below(key)); }
  void next() { stand(table_->order_.next(place_)); }   // Requires: valid
  void previous() { stand(table_->order_.previous(place_)); }
  bool valid() const { return place_.valid(); }
  BytesView key() const { return place_.entry->key(); }
  Sight sight() const { return sight_; }
  BytesView value() const { return version_->value(); }
  bool has_fragments() const { return !fragments_->empty(); }
  // The range deletion of this table that took what the tables below have at `key`; null: none.
  const TableFragment* covering(BytesView key) const { return has_fragments() ? fragments_->covering(key) : nullptr; }
  WriteNumber as_of() const { return as_of_; }

 private:
  void stand(TableOrder::Place place);
  std::shared_ptr<const Table> table_;
  const WriteNumber as_of_;
  std::shared_ptr<const TableFragments> fragments_;
  TableOrder::Place place_;
  const TableVersion* version_ = nullptr;
  Sight sight_ = Sight::nothing;
};

}   // namespace skerry::store
