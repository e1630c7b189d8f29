// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_cursor.hpp"

#include <vector>

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

RocksDbCursor::RocksDbCursor(std::shared_ptr<RocksDbStore> store, Blocking& blocking, ShardId shard, Space space)
    : blocking_(blocking) {
  Bytes prefix = key_prefix(shard, space);
  Bytes end = prefix_end(prefix);
  view_ = std::make_shared<const View>(std::move(store), std::move(prefix), std::move(end));
  rocksdb::ReadOptions options = view_->options();
  options.read_tier = rocksdb::kBlockCacheTier;
  options.max_skippable_internal_keys = skipped_on_core_max;
  memory_.reset(view_->store->db->NewIterator(options));
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

void RocksDbCursor::settle() {
  if (memory_->Valid()) {
    state_ = State::record;
  } else if (memory_->status().ok()) {
    state_ = State::end;
  } else if (memory_->status().IsIncomplete()) {
    ++view_->store->cold_reads;
    state_ = State::cold;
  } else {
    state_ = State::failed;
    error_ = rocksdb_error(view_->store->folder, memory_->status());
  }
}

void RocksDbCursor::go(Move::To to, BytesView prefixed) {
  move_.to = to;
  move_.key.assign(prefixed);   // before the stretch goes, which it may stand in
  stretch_.reset();
  make(*memory_, move_);
  settle();
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
  memory_->Next();
  settle();
}

void RocksDbCursor::previous() {
  if (step_in_stretch(false)) return;
  if (stretch_) return go(Move::To::below, stretch_->records[position_].key);
  move_.to = Move::To::below;
  move_.key.assign(view_of(memory_->key()));
  memory_->Prev();
  settle();
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
  if (stretch->records.empty() && !stretch->status.ok()) {
    state_ = State::failed;
    error_ = rocksdb_error(view_->store->folder, stretch->status);
    co_return fail(error_);
  }
  position_ = 0;
  state_ = stretch->records.empty() ? State::end : State::record;
  if (!stretch->records.empty()) stretch_ = stretch;
  co_return Result<>{};
}

BytesView RocksDbCursor::key() const {
  const BytesView prefixed = stretch_ ? BytesView(stretch_->records[position_].key) : view_of(memory_->key());
  return prefixed.substr(prefix_bytes);
}

BytesView RocksDbCursor::value() const {
  return stretch_ ? BytesView(stretch_->records[position_].value) : view_of(memory_->value());
}

}  // namespace skerry::store
