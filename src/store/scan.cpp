// SPDX-License-Identifier: Apache-2.0
#include "store/scan.hpp"

#include <algorithm>
#include <functional>

#include "base/assert.hpp"
#include "store/internal_view.hpp"

namespace skerry::store {
namespace {

// Orphans, or keys outside the range, skipped in one go; then the scan reports cold once, so that its driver can let others run.
constexpr std::size_t skips_max = 1024;

Scan::State to_scan(Cursor::State state) {
  switch (state) {
    case Cursor::State::record: return Scan::State::record;
    case Cursor::State::end: return Scan::State::end;
    case Cursor::State::cold: return Scan::State::cold;
    case Cursor::State::failed: return Scan::State::failed;
  }
  return Scan::State::failed;
}

// What all walks share: the item they stand on, and where they stand.
class BasicScan : public Scan {
 public:
  State state() const override { return state_; }
  BytesView key() const override { return key_; }
  Error error() const override { return error_; }

 protected:
  void fail_with(Error error) {
    state_ = State::failed;
    error_ = std::move(error);
  }
  void follow(const Cursor& cursor) {
    state_ = to_scan(cursor.state());
    if (state_ == State::failed) error_ = cursor.error();
  }

  State state_ = State::end;
  Bytes key_;
  Error error_;
};

// Where a walk goes: encoded keys of one space, [from, end), forward or backward.
struct Course {
  Bytes from;
  std::optional<Bytes> end;   // none: to the last
  bool reverse = false;

  void start(Cursor& cursor) const {
    if (!reverse) {
      cursor.seek(from);
    } else if (end) {
      cursor.seek_below(*end);
    } else {
      cursor.seek_last();
    }
  }
  void move(Cursor& cursor) const { reverse ? cursor.previous() : cursor.next(); }
  bool over(BytesView key) const { return reverse ? key < from : end && key >= *end; }
  // Goes on where an earlier walk stood, `at` being that record's key in the space.
  void resume(Bytes at, bool inclusive) {
    if (reverse == inclusive) at += '\0';
    if (!reverse) {
      if (at > from) from = std::move(at);
    } else if (!end || at < *end) {
      end = std::move(at);
    }
  }
};

class RecordScan final : public BasicScan {
 public:
  RecordScan(const ShardState& state, Course course)
      : order_(state.order), course_(std::move(course)), cursor_(state.engine.cursor(Space::records)) {
    course_.start(*cursor_);
    settle();
  }
  void next() override {
    course_.move(*cursor_);
    settle();
  }
  Task<Result<>> load() override {
    CO_TRYV(co_await cursor_->load());
    settle();
    co_return Result<>{};
  }
  GetOutcome record() const override { return {Status::ok, record_.version(), Bytes(record_.value), key_, {}}; }

 private:
  void settle() {
    follow(*cursor_);
    if (state_ != State::record) return;
    if (course_.over(cursor_->key())) {
      state_ = State::end;
      return;
    }
    auto record = decode_record(cursor_->value());
    if (!record) return fail_with(std::move(record).error());
    record_ = *record;
    key_ = decode_key(order_, cursor_->key());
  }

  KeyOrder order_;
  Course course_;
  std::unique_ptr<Cursor> cursor_;
  RecordView record_;   // borrows from the cursor
};

// Walks over index entries or shadows and looks up the record of each; those whose record is gone are skipped. Both cursors are
// made at once, so they tell of the same state.
class OwnedScan final : public BasicScan {
 public:
  struct Owned {
    Bytes primary;
    Bytes shown;   // the key that the scan reports
    std::optional<Bytes> secondary = {};   // of an index entry: clients merge the answers of many shards by it
  };
  using Read = Result<Owned> (*)(KeyOrder order, BytesView key);
  enum class Shows : std::uint8_t { the_record, a_name };

  OwnedScan(const ShardState& state, Space space, Course course, Read read, Shows shows)
      : order_(state.order), course_(std::move(course)), read_(read), shows_(shows), owned_(state.engine.cursor(space)),
        records_(state.engine.cursor(Space::records)) {
    course_.start(*owned_);
    settle();
  }
  void next() override {
    course_.move(*owned_);
    settle();
  }
  Task<Result<>> load() override {
    Cursor& cold = looking_up_ ? *records_ : *owned_;
    if (cold.state() == Cursor::State::cold) CO_TRYV(co_await cold.load());
    settle();
    co_return Result<>{};
  }
  GetOutcome record() const override {
    if (shows_ == Shows::a_name) return {Status::ok, {}, {}, key_, {}};
    return {Status::ok, record_.version(), Bytes(record_.value), key_, secondary_};
  }

 private:
  void settle() {
    for (std::size_t skips = 0; skips < skips_max; ++skips) {
      if (!looking_up_ && !begin_lookup()) return;
      if (finish_lookup()) return;
      looking_up_ = false;
      course_.move(*owned_);
    }
    state_ = State::cold;
  }

  // False when there is no entry to look up now.
  bool begin_lookup() {
    follow(*owned_);
    if (state_ != State::record) return false;
    if (course_.over(owned_->key())) {
      state_ = State::end;
      return false;
    }
    auto owned = read_(order_, owned_->key());
    if (!owned) return fail_with(std::move(owned).error()), false;
    key_ = std::move(owned->shown);
    secondary_ = std::move(owned->secondary);
    wanted_ = encode_key(order_, owned->primary);
    records_->seek(wanted_);
    looking_up_ = true;
    return true;
  }

  // False when the entry is an orphan.
  bool finish_lookup() {
    if (records_->state() == Cursor::State::end) return false;
    follow(*records_);
    if (state_ != State::record) return true;
    if (records_->key() != wanted_) return false;
    auto record = decode_record(records_->value());
    auto owner = decode_owner(owned_->value());
    if (!record) return fail_with(std::move(record).error()), true;
    if (!owner) return fail_with(std::move(owner).error()), true;
    if (record->modified != *owner) return false;
    record_ = *record;
    looking_up_ = false;
    return true;
  }

  KeyOrder order_;
  Course course_;
  Read read_;
  Shows shows_;
  std::unique_ptr<Cursor> owned_;
  std::unique_ptr<Cursor> records_;
  Bytes wanted_;
  std::optional<Bytes> secondary_;   // of the entry under owned_, when it is of an index
  bool looking_up_ = false;   // the entry under owned_ waits for its record
  RecordView record_;         // borrows from records_
};

// Internal records that are few: counters and sessions, as they were when the scan was made.
class ListedScan final : public BasicScan {
 public:
  explicit ListedScan(std::vector<InternalRecord> records) : records_(std::move(records)) { show(); }
  void next() override {
    ++at_;
    show();
  }
  Task<Result<>> load() override { co_return Result<>{}; }
  GetOutcome record() const override { return {Status::ok, records_[at_].version, records_[at_].value, key_, {}}; }

 private:
  void show() {
    state_ = at_ < records_.size() ? State::record : State::end;
    if (state_ == State::record) key_ = records_[at_].key;
  }
  std::vector<InternalRecord> records_;
  std::size_t at_ = 0;
};

// Records and the internal view together: whatever is least in key order comes first, then the entries of all indexes, index by
// index. Parts that aren't sorted by the range's order are filtered by it.
class MergedScan final : public Scan {
 public:
  MergedScan(KeyOrder order, Bytes from, std::optional<Bytes> end, std::vector<std::unique_ptr<Scan>> sorted,
             std::unique_ptr<Scan> last)
      : order_(order), from_(std::move(from)), end_(std::move(end)), last_{std::move(last)} {
    for (auto& scan : sorted) parts_.push_back({std::move(scan)});
    for (Part& part : parts_) refresh(part);
    refresh(last_);
    choose();
  }
  State state() const override { return current_ ? current_->state() : State::end; }
  void next() override {
    current_->scan->next();
    refresh(*current_);
    choose();
  }
  Task<Result<>> load() override {
    if (current_->paused) {
      current_->scan->next();
    } else {
      CO_TRYV(co_await current_->scan->load());
    }
    refresh(*current_);
    choose();
    co_return Result<>{};
  }
  BytesView key() const override { return current_->scan->key(); }
  GetOutcome record() const override { return current_->scan->record(); }
  Error error() const override { return current_->scan->error(); }

 private:
  struct Part {
    std::unique_ptr<Scan> scan;
    Bytes encoded = {};    // of the key it stands on
    bool paused = false;   // on a key outside the range, after many of them

    State state() const { return paused ? State::cold : scan->state(); }
  };

  bool wanted(const Bytes& encoded) const { return encoded >= from_ && (!end_ || encoded < *end_); }
  void refresh(Part& part) {
    part.paused = false;
    for (std::size_t skips = 0; part.scan->state() == State::record; part.scan->next()) {
      part.encoded = encode_key(order_, part.scan->key());
      if (wanted(part.encoded)) return;
      if (++skips == skips_max) {
        part.paused = true;
        return;
      }
    }
  }
  // A part that is cold or has failed comes first: nothing can be said before it is settled.
  void choose() {
    current_ = nullptr;
    for (Part& part : parts_) {
      const State state = part.state();
      if (state == State::cold || state == State::failed) {
        current_ = &part;
        return;
      }
      if (state == State::record && (!current_ || part.encoded < current_->encoded)) current_ = &part;
    }
    if (!current_ && last_.state() != State::end) current_ = &last_;
  }

  KeyOrder order_;
  Bytes from_;
  std::optional<Bytes> end_;
  std::vector<Part> parts_;
  Part last_;
  Part* current_ = nullptr;
};

Result<OwnedScan::Owned> read_index_entry(KeyOrder order, BytesView key) {
  TRY(IndexEntry entry, decode_index_entry(order, key));
  return OwnedScan::Owned{entry.primary, entry.primary, std::move(entry.secondary)};
}

Result<OwnedScan::Owned> name_index_entry(KeyOrder order, BytesView key) {
  TRY(IndexEntry entry, decode_index_entry(order, key));
  Bytes name = index_entry_name(entry);
  return OwnedScan::Owned{std::move(entry.primary), std::move(name)};
}

Result<OwnedScan::Owned> name_shadow(KeyOrder, BytesView key) {
  TRY(Shadow shadow, decode_shadow_key(key));
  Bytes name = shadow_name(shadow);
  return OwnedScan::Owned{std::move(shadow.key), std::move(name)};
}

// The end of everything that starts with `prefix`, which ends in a byte below FF.
Bytes end_of(Bytes prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

std::unique_ptr<Scan> scan_index(const ShardState& state, const Range& range) {
  const Bytes prefix = index_prefix(*range.index);
  Course course{range.start.empty() ? prefix : index_bound(state.order, *range.index, range.start),
                range.end.empty() ? end_of(prefix) : index_bound(state.order, *range.index, range.end), range.reverse};
  if (range.resume) {
    course.resume(index_entry_key(state.order, *range.index, range.resume->secondary_key.value_or(Bytes()), range.resume->key),
                  range.resume->inclusive);
  }
  return std::make_unique<OwnedScan>(state, Space::indexes, std::move(course), read_index_entry, OwnedScan::Shows::the_record);
}

std::unique_ptr<Scan> scan_everything(const ShardState& state, Bytes from, std::optional<Bytes> end) {
  std::vector<InternalRecord> sessions;
  for (const auto& [id, session] : state.sessions) sessions.push_back(show_session(id, session));
  std::vector<std::unique_ptr<Scan>> sorted;
  sorted.push_back(std::make_unique<RecordScan>(state, Course{from, end}));
  sorted.push_back(std::make_unique<ListedScan>(show_counters(state)));
  sorted.push_back(std::make_unique<ListedScan>(std::move(sessions)));
  sorted.push_back(std::make_unique<OwnedScan>(state, Space::shadows, Course{}, name_shadow, OwnedScan::Shows::a_name));
  auto indexes = std::make_unique<OwnedScan>(state, Space::indexes, Course{}, name_index_entry, OwnedScan::Shows::a_name);
  return std::make_unique<MergedScan>(state.order, std::move(from), std::move(end), std::move(sorted), std::move(indexes));
}

}  // namespace

std::unique_ptr<Scan> make_scan(const ShardState& state, Range range, StateMachine::ScanKind) {
  if (range.index) return scan_index(state, range);
  Bytes from = range.start.empty() ? Bytes{} : encode_key(state.order, range.start);
  std::optional<Bytes> end;
  if (!range.end.empty()) end = encode_key(state.order, range.end);
  const BytesView internal = internal_start(state.order);
  if (range.include_internal_keys && (!end || *end > internal)) return scan_everything(state, std::move(from), std::move(end));
  if (!end || *end > internal) end = Bytes(internal);
  Course course{std::move(from), std::move(end), range.reverse};
  if (range.resume) course.resume(encode_key(state.order, range.resume->key), range.resume->inclusive);
  return std::make_unique<RecordScan>(state, std::move(course));
}

}  // namespace skerry::store
