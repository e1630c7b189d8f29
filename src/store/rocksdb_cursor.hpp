// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/iterator.h>
#include <rocksdb/snapshot.h>

#include <optional>

#include "runtime/blocking.hpp"
#include "store/rocksdb_recent.hpp"
#include "store/rocksdb_store.hpp"

namespace skerry::store {

// Walks one space of a shard. On the core it looks at memory only; when that doesn't do, load() reads a stretch ahead on a
// helper thread, which the following moves in the same direction take their records from.
class RocksDbCursor final : public Cursor {
 public:
  RocksDbCursor(std::shared_ptr<RocksDbStore> store, Blocking& blocking, std::shared_ptr<RecentLoads> recent, Bytes prefix);
  void seek(BytesView key) override;
  void seek_below(BytesView key) override;
  void seek_last() override;
  void next() override;
  void previous() override;
  State state() const override { return state_; }
  Task<Result<>> load() override;
  BytesView key() const override;
  BytesView value() const override;
  Error error() const override { return error_; }

 private:
  struct Move {
    enum class To : std::uint8_t { at_or_above, above, below, last };
    To to;
    Bytes key;   // with its prefix
    Bytes name() const { return Bytes(1, static_cast<char>(to)) + key; }
    bool forward() const { return to == To::at_or_above || to == To::above; }
  };
  struct View;
  struct Stretch;
  static void make(rocksdb::Iterator& it, const Move& move);
  static void read_stretch(const View& view, const Move& move, Stretch& stretch);
  bool step_in_stretch(bool forward);
  void go(Move::To to, BytesView key);
  void take(std::shared_ptr<const Stretch> stretch);
  std::unique_ptr<rocksdb::Iterator> make_memory_iterator() const;
  template <class F>
  void in_memory(F move);
  Bytes with_prefix(BytesView key) const;

  std::shared_ptr<const View> view_;                // shared with jobs
  Blocking& blocking_;
  std::shared_ptr<RecentLoads> recent_;             // of the shard
  std::unique_ptr<rocksdb::Iterator> memory_;       // sees only what is in memory; null after a miss
  std::shared_ptr<const Stretch> stretch_;          // records read ahead, while we stand on one of them
  std::size_t position_ = 0;                        // in the stretch
  Move move_{};                                     // the last one, for load()
  State state_ = State::end;
  Error error_;
};

}  // namespace skerry::store
