// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_cursor.hpp"

#include <vector>

#include "store/rocksdb_cache.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t stretch_records_max = 256;
constexpr std::size_t stretch_bytes_max = 256 << 10;
// Walking over that many deleted records takes about a millisecond: beyond, it is the helper's job.
constexpr std::uint64_t skipped_on_core_max = 5000;

BytesView view_of(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

// The state at the cursor's creation, and the bounds of its space.
struct RocksDbCursor::View {
  View(std::shared_ptr<RocksDbStore> of, Bytes low, Bytes high)
      : store(std::move(of)), prefix(std::move(low)), end(std::move(high)), snapshot(store->db.get()) {}

  rocksdb::ReadOptions options() const {
    rocksdb::ReadOptions out;
    out.snapshot = pinned;
    out.iterate_lower_bound = &lower;
    out.iterate_upper_bound = &upper;
    out.total_order_seek = true;
    out.background_purge_on_iterator_cleanup = true;
    return out;
  }

  std::shared_ptr<RocksDbStore> store;
  Bytes prefix, end;
  rocksdb::Slice lower{prefix}, upper{end};
  rocksdb::ManagedSnapshot snapshot;
  const rocksdb::Snapshot* pinned = snapshot.snapshot();
};

struct RocksDbCursor::Stretch {
  struct Record {
    Bytes key, value;   // the key with its prefix
  };
  std::vector<Record> records;
  bool forward = true;
  rocksdb::Status status;
};

RocksDbCursor::RocksDbCursor(std::shared_ptr<RocksDbStore> store, Blocking& blocking, std::shared_ptr<RecentLoads> recent,
                             Bytes prefix)
    : blocking_(blocking), recent_(std::move(recent)) {
  Bytes end = prefix_end(prefix);
  view_ = std::make_shared<const View>(std::move(store), std::move(prefix), std::move(end));
}

std::unique_ptr<rocksdb::Iterator> RocksDbCursor::make_memory_iterator() const {
  rocksdb::ReadOptions options = view_->options();
  options.read_tier = rocksdb::kBlockCacheTier;
  options.max_skippable_internal_keys = skipped_on_core_max;
  return std::unique_ptr<rocksdb::Iterator>(view_->store->db->NewIterator(options));
}

Bytes RocksDbCursor::with_prefix(BytesView key) const {
  Bytes out;
  out.reserve(prefix_bytes + key.size());
  out += view_->prefix;
  out += key;
  return out;
}

void RocksDbCursor::make(rocksdb::Iterator& it, const Move& move) {
  switch (move.to) {
    case Move::To::at_or_above: it.Seek(move.key); break;
    case Move::To::above:
      it.Seek(move.key);
      if (it.Valid() && view_of(it.key()) == move.key) it.Next();
      break;
    case Move::To::below:
      it.SeekForPrev(move.key);
      if (it.Valid() && view_of(it.key()) == move.key) it.Prev();
      break;
    case Move::To::last: it.SeekToLast(); break;
  }
}

// Makes the move with what is in memory. A block that was missed makes it cold, whatever the iterator says (WatchedCache), and
// ends the iterator: some of its parts may remember that they failed, and fail again without looking.
template <class F>
void RocksDbCursor::in_memory(F move) {
  const std::uint64_t misses = cache_misses_of_this_thread();
  if (!memory_) memory_ = make_memory_iterator();
  move();
  const rocksdb::Status status = memory_->status();
  if (cache_misses_of_this_thread() != misses || status.IsIncomplete()) {
    memory_.reset();
    state_ = State::cold;
    ++view_->store->cold_reads;
    if (recent_->contains(move_.name())) {
      const auto stretch = std::make_shared<Stretch>();
      ++view_->store->waiting_reads;
      read_stretch(*view_, move_, *stretch);
      take(stretch);
    }
  } else if (memory_->Valid()) {
    state_ = State::record;
  } else if (status.ok()) {
    state_ = State::end;
  } else {
    state_ = State::failed;
    view_->store->watch->failed(status);
    error_ = rocksdb_error(view_->store->folder, status);
  }
}

void RocksDbCursor::go(Move::To to, BytesView prefixed) {
  move_.to = to;
  move_.key.assign(prefixed);   // before the stretch goes, which it may stand in
  stretch_.reset();
  in_memory([this] { make(*memory_, move_); });
}

void RocksDbCursor::seek(BytesView key) { go(Move::To::at_or_above, with_prefix(key)); }
void RocksDbCursor::seek_below(BytesView key) { go(Move::To::below, with_prefix(key)); }
void RocksDbCursor::seek_last() { go(Move::To::last, {}); }

bool RocksDbCursor::step_in_stretch(bool forward) {
  if (!stretch_ || stretch_->forward != forward || position_ + 1 >= stretch_->records.size()) return false;
  ++position_;
  return true;
}

void RocksDbCursor::next() {
  if (step_in_stretch(true)) return;
  if (stretch_) return go(Move::To::above, stretch_->records[position_].key);
  move_.to = Move::To::above;
  move_.key.assign(view_of(memory_->key()));   // should the step be cold, the iterator no longer knows where it was
  in_memory([this] { memory_->Next(); });
}

void RocksDbCursor::previous() {
  if (step_in_stretch(false)) return;
  if (stretch_) return go(Move::To::below, stretch_->records[position_].key);
  move_.to = Move::To::below;
  move_.key.assign(view_of(memory_->key()));
  in_memory([this] { memory_->Prev(); });
}

void RocksDbCursor::read_stretch(const View& view, const Move& move, Stretch& stretch) {
  stretch.forward = move.forward();
  const std::unique_ptr<rocksdb::Iterator> it(view.store->db->NewIterator(view.options()));
  std::size_t bytes = 0;
  for (make(*it, move); it->Valid(); stretch.forward ? it->Next() : it->Prev()) {
    stretch.records.push_back({Bytes(view_of(it->key())), Bytes(view_of(it->value()))});
    bytes += it->key().size() + it->value().size();
    if (bytes >= stretch_bytes_max || stretch.records.size() >= stretch_records_max) break;
  }
  stretch.status = it->status();
}

Task<Result<>> RocksDbCursor::load() {
  if (state_ != State::cold) co_return Result<>{};
  const auto stretch = std::make_shared<Stretch>();
  co_await blocking_.run([view = view_, move = move_, stretch] { read_stretch(*view, move, *stretch); });
  recent_->add({move_.name()});
  take(stretch);
  if (state_ == State::failed) co_return fail(error_);
  co_return Result<>{};
}

void RocksDbCursor::take(std::shared_ptr<const Stretch> stretch) {
  position_ = 0;
  if (!stretch->records.empty()) {
    state_ = State::record;
    stretch_ = std::move(stretch);
  } else if (stretch->status.ok()) {
    state_ = State::end;
  } else {
    state_ = State::failed;
    view_->store->watch->failed(stretch->status);
    error_ = rocksdb_error(view_->store->folder, stretch->status);
  }
}

BytesView RocksDbCursor::key() const {
  const BytesView prefixed = stretch_ ? BytesView(stretch_->records[position_].key) : view_of(memory_->key());
  return prefixed.substr(prefix_bytes);
}

BytesView RocksDbCursor::value() const {
  return stretch_ ? BytesView(stretch_->records[position_].value) : view_of(memory_->value());
}

}  // namespace skerry::store
