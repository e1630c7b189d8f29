// SPDX-License-Identifier: Apache-2.0
#include "store/memory_engine.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/assert.hpp"
#include "runtime/core.hpp"
#include "store/memory_file.hpp"

namespace skerry::store {
namespace {

std::size_t index(Space space) { return static_cast<std::size_t>(space); }

class MemoryCursor final : public Cursor {
 public:
  explicit MemoryCursor(MemoryTree tree) : tree_(std::move(tree)) {}
  void seek(BytesView key) override { walk_.seek(key); }
  void seek_below(BytesView key) override { walk_.seek_below(key); }
  void seek_last() override { walk_.seek_last(); }
  void next() override { walk_.next(); }
  void previous() override { walk_.previous(); }
  State state() const override { return walk_.valid() ? State::record : State::end; }
  Task<Result<>> load() override { co_return Result<>{}; }
  BytesView key() const override { return walk_.key(); }
  BytesView value() const override { return walk_.value(); }
  Error error() const override { return {}; }

 private:
  const MemoryTree tree_;   // pins the state at our creation
  MemoryTree::Walk walk_{tree_};
};

constexpr std::string_view file_prefix = "shard-", state_suffix = ".state", staged_suffix = ".staged";

std::optional<ShardId> shard_of(std::string_view name, std::string_view suffix) {
  if (!name.starts_with(file_prefix) || !name.ends_with(suffix)) return std::nullopt;
  name.remove_prefix(file_prefix.size());
  name.remove_suffix(suffix.size());
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end != name.data() + name.size() || id < 0) return std::nullopt;
  return ShardId(id);
}

}  // namespace

// One shard's state in memory.
class MemoryShard final : public ShardEngine {
 public:
  MemoryShard(MemoryEngine& engine, ShardId id) : engine_(engine), id_(id) {}
  Lookup try_get(Space space, BytesView key, Bytes& value) override {
    const Bytes* found = state.spaces[index(space)].find(key);
    if (found == nullptr) return Lookup::absent;
    value.assign(*found);
    return Lookup::value;
  }
  Task<Result<>> load(Space, std::vector<Bytes>) override { co_return Result<>{}; }
  std::unique_ptr<Cursor> cursor(Space space) override { return std::make_unique<MemoryCursor>(state.spaces[index(space)]); }
  void apply(std::span<const Write> writes, Offset offset) override {
    for (const Write& write : writes) {
      MemoryTree& tree = state.spaces[index(write.space)];
      switch (write.kind) {
        case Write::Kind::put: tree.put(write.key, write.value); break;
        case Write::Kind::erase: tree.erase(write.key); break;
        case Write::Kind::erase_range: tree.erase_range(write.key, write.value); break;
      }
    }
    state.applied = offset;
  }
  Offset applied() const override { return state.applied; }
  Offset durable() const override { return durable_offset; }
  std::uint64_t approximate_bytes() const override {
    std::uint64_t bytes = 0;
    for (const MemoryTree& tree : state.spaces) bytes += tree.bytes();
    return bytes;
  }
  void stage_anew() override {
    ++stagings;
    next = {};
    whole.reset();
  }
  void stage(std::span<const Write> writes) override {
    SKERRY_ASSERT(!whole);
    for (const Write& write : writes) {
      MemoryTree& tree = next.spaces[index(write.space)];
      if (write.kind == Write::Kind::put) tree.put(write.key, write.value);
      else tree.erase(write.key);
    }
  }
  Task<Result<>> finish_staging(Offset offset) override {
    const std::uint64_t staging = stagings;
    CO_TRYV(co_await engine_.write_staged(id_, offset));
    if (staging != stagings) co_return fail(Errc::aborted, "another state is being staged");
    whole = offset;
    co_return Result<>{};
  }
  std::optional<Offset> staged() const override { return whole; }
  void take_staged() override {
    SKERRY_ASSERT(whole);
    state = std::exchange(next, {});
    state.applied = *std::exchange(whole, std::nullopt);
  }

  MemoryState state;
  Offset durable_offset = no_offset;
  MemoryState next;   // staged
  std::optional<Offset> whole;
  std::uint64_t stagings = 0;
  bool staged_file = false;   // there is one

 private:
  MemoryEngine& engine_;
  const ShardId id_;
};

struct MemoryEngine::Place {
  Core& core;
  disk::Disk& disk;
  std::string folder;
  WaitList turns{core};

  std::string file(ShardId shard) const { return fmt::format("{}/{}{}{}", folder, file_prefix, shard.value(), state_suffix); }
  std::string staged_file(ShardId shard) const {
    return fmt::format("{}/{}{}{}", folder, file_prefix, shard.value(), staged_suffix);
  }
  Task<Result<>> remove(std::string file) const {
    CO_TRY(const bool written, disk.exists(file));
    if (!written) co_return Result<>{};
    CO_TRYV(disk.remove(file));
    co_return co_await disk.sync_folder(folder);
  }
};

// Gives the turn to write to the next, however the holder ends.
class MemoryEngine::Turn {
 public:
  explicit Turn(MemoryEngine& engine) : engine_(engine) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    engine_.busy_ = false;
    engine_.place_->turns.wake_one();
  }

 private:
  MemoryEngine& engine_;
};

MemoryEngine::MemoryEngine() = default;
MemoryEngine::MemoryEngine(Core& core, disk::Disk& disk, std::string folder) : place_(new Place{core, disk, std::move(folder)}) {}
MemoryEngine::~MemoryEngine() = default;

Task<Result<std::unique_ptr<MemoryEngine>>> MemoryEngine::open(Core& core, disk::Disk& disk, std::string folder) {
  std::unique_ptr<MemoryEngine> engine(new MemoryEngine(core, disk, std::move(folder)));
  CO_TRYV(co_await engine->read_all());
  co_return engine;
}

Task<Result<>> MemoryEngine::read_all() {
  CO_TRYV(place_->disk.make_folders(place_->folder));
  CO_TRY(const std::vector<std::string> names, place_->disk.list(place_->folder));
  for (const std::string& name : names) {
    if (const auto id = shard_of(name, state_suffix)) {
      MemoryShard& shard = made(*id);
      CO_TRY(shard.state, co_await read_memory_file(place_->core, place_->disk, place_->file(*id), *id));
      shard.durable_offset = shard.state.applied;
    } else if (const auto staged = shard_of(name, staged_suffix)) {
      MemoryShard& shard = made(*staged);
      CO_TRY(shard.next, co_await read_memory_file(place_->core, place_->disk, place_->staged_file(*staged), *staged));
      shard.whole = shard.next.applied;
      shard.staged_file = true;
    }
  }
  co_return Result<>{};
}

MemoryShard& MemoryEngine::made(ShardId shard) {
  auto& found = shards_[shard];
  if (!found) found = std::make_unique<MemoryShard>(*this, shard);
  return *found;
}

Result<ShardEngine*> MemoryEngine::shard(ShardId shard) { return &made(shard); }

std::vector<ShardId> MemoryEngine::shards() const {
  std::vector<ShardId> ids;
  for (const auto& [id, shard] : shards_) ids.push_back(id);
  return ids;
}

Task<> MemoryEngine::take_turn() {
  while (busy_) co_await place_->turns.wait();
  busy_ = true;
}

Task<Result<>> MemoryEngine::drop(ShardId shard) {
  if (place_) {
    co_await take_turn();
    const Turn turn(*this);
    CO_TRYV(co_await place_->remove(place_->staged_file(shard)));
    CO_TRYV(co_await place_->remove(place_->file(shard)));
    shards_.erase(shard);
    co_return Result<>{};
  }
  shards_.erase(shard);
  co_return Result<>{};
}

// Copies the state before the first await, so that what is written is one moment's.
Task<Result<>> MemoryEngine::write(ShardId id) {
  MemoryShard& shard = *shards_.at(id);
  const Offset offset = shard.applied();
  if (offset == shard.durable_offset) co_return Result<>{};
  if (place_) CO_TRYV(co_await write_memory_file(place_->core, place_->disk, place_->file(id), id, shard.state));
  shard.durable_offset = offset;
  // The staged state that took the place of one before is in the file now.
  if (place_ && !shard.whole && std::exchange(shard.staged_file, false))
    CO_TRYV(co_await place_->remove(place_->staged_file(id)));
  co_return Result<>{};
}

Task<Result<>> MemoryEngine::write_staged(ShardId id, Offset offset) {
  CO_TRYV(health_);
  MemoryShard& shard = *shards_.at(id);
  if (!place_) co_return Result<>{};
  co_await take_turn();
  const Turn turn(*this);
  const std::uint64_t staging = shard.stagings;
  // One that was taken before must be in the file of the state first.
  if (shard.staged_file) health_ = co_await write(id);
  if (health_ && staging == shard.stagings) {
    shard.next.applied = offset;
    shard.staged_file = true;
    health_ = co_await write_memory_file(place_->core, place_->disk, place_->staged_file(id), id, shard.next);
  }
  co_return health_;
}

Task<Result<>> MemoryEngine::checkpoint() {
  CO_TRYV(health_);
  std::optional<Turn> turn;
  if (place_) {
    co_await take_turn();
    turn.emplace(*this);
  }
  for (const ShardId id : shards()) {
    // A file that was only half replaced is still whole on disk, old or new; but this disk is to be trusted no more.
    Result<> written = co_await write(id);
    if (!written) {
      health_ = written;
      co_return written;
    }
  }
  co_return Result<>{};
}

Task<Result<>> MemoryEngine::stop() { return checkpoint(); }

}  // namespace skerry::store
