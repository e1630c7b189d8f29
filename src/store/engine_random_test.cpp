// SPDX-License-Identifier: Apache-2.0
// The engines against each other and against a plain model, with crashes at any step of any flush.
// A failure names its seed; SKERRY_SEED=n runs that one alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/sanitized.hpp"
#include "store/testing/engine_model.hpp"
#include "store/testing/engine_subject.hpp"

namespace skerry::store {
namespace {

using testing::ShardModel;

constexpr std::size_t engines = 3;
constexpr Space spaces[] = {Space::records,  Space::indexes, Space::sessions, Space::shadows,
                            Space::requests, Space::meta,    Space::expiries};

// The cursors that must agree with each other and the model, made at one moment.
struct Walkers {
  std::unique_ptr<Cursor> subjects[engines];
  ShardModel::Table table;
  ShardModel::Table::const_iterator at;
};

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed)
      : random_(seed), rocksdb_(cache_bytes(seed), threads(seed)), tables_(cache_bytes(seed), threads(seed)) {
    for (auto* subject : subjects_) start(*subject);
  }
  ~RandomRun() {
    walkers_.clear();
    for (auto* subject : subjects_) {
      if (running_) EXPECT_TRUE(subject->stop());
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE(step);
      const std::uint64_t dice = random_.below(100);
      if (dice < 54) {
        apply();
      } else if (dice < 58) {
        stage();
      } else if (dice < 60) {
        replace();
      } else if (dice < 75) {
        get();
      } else if (dice < 90) {
        walk();
      } else if (dice < 94) {
        checkpoint();
      } else if (dice < 97) {
        crash();
      } else if (dice < 99) {
        restart();
      } else {
        drop();
      }
    }
  }

  std::uint64_t cold = 0;   // how often RocksDB had to load: a run without would test half of it

 private:
  static std::uint64_t cache_bytes(std::uint64_t seed) { return seed % 3 == 0 ? 8 << 20 : 64 << 10; }
  static testing::DatabaseSubject::Threads threads(std::uint64_t seed) {
    return seed % 2 == 0 ? testing::DatabaseSubject::Threads::helper : testing::DatabaseSubject::Threads::none;
  }
  static constexpr std::int64_t shards = 3;
  ShardId any_shard() { return ShardId(1 + static_cast<std::int64_t>(random_.below(shards))); }

  std::string name(const testing::EngineSubject& subject) const {
    return &subject == &memory_ ? "in memory" : &subject == &rocksdb_ ? "RocksDB" : "tables";
  }

  void start(testing::EngineSubject& subject) {
    const Result<> started = subject.start();
    running_ = started.has_value();
    ASSERT_TRUE(started) << started.error().message();
  }

  void apply() {
    const ShardId id = any_shard();
    ShardModel& model = models_[id];
    model.apply(testing::random_entry(random_));
    for (auto* subject : subjects_) {
      testing::apply_to(subject->shard(id), model.entry(model.applied()), model.applied());
      subject->core().run_turn();   // tables are written meanwhile
    }
  }

  // A part of another state, which may never be finished.
  void stage() {
    const ShardId id = any_shard();
    static_cast<void>(models_[id]);
    if (staging_[id].whole) return;
    testing::OwnedEntry part;
    for (std::uint64_t left = 1 + random_.below(20); left > 0; --left) {
      for (testing::OwnedWrite& write : testing::random_entry(random_)) {
        if (write.kind != Write::Kind::erase_range) part.push_back(std::move(write));
      }
    }
    std::vector<Write> writes;
    for (const testing::OwnedWrite& write : part) {
      writes.push_back(write.view());
      auto& table = staging_[id].state[write.space];
      if (write.kind == Write::Kind::put) table[write.key] = write.value;
      else table.erase(write.key);
    }
    for (auto* subject : subjects_) {
      subject->shard(id).stage(writes);
      subject->core().run_turn();
    }
  }

  // It is whole now; mostly it becomes the state, and sometimes it is forgotten.
  void replace() {
    const ShardId id = any_shard();
    ShardModel& model = models_[id];
    Staging& staging = staging_[id];
    if (!staging.whole) {
      staging.whole = Offset(model.applied().value() + 1 + static_cast<std::int64_t>(random_.below(50)));
      for (auto* subject : subjects_) ASSERT_TRUE(subject->run(subject->shard(id).finish_staging(*staging.whole)));
    }
    for (auto* subject : subjects_) ASSERT_EQ(subject->shard(id).staged(), staging.whole);
    if (*staging.whole <= model.applied() || random_.chance(0.2)) return forget_staged(id);
    if (random_.chance(0.2)) return;   // later
    model.replace(staging.state, *staging.whole);
    staging_.erase(id);
    for (auto* subject : subjects_) {
      subject->shard(id).take_staged();
      ASSERT_EQ(subject->shard(id).applied(), model.applied());
      ASSERT_EQ(subject->shard(id).staged(), std::nullopt);
      check_state(*subject, id, model);
    }
  }

  void forget_staged(ShardId id) {
    staging_.erase(id);
    for (auto* subject : subjects_) subject->shard(id).stage_anew();
  }

  void check_state(testing::EngineSubject& subject, ShardId id, const ShardModel& model) {
    SCOPED_TRACE(name(subject));
    for (const Space space : spaces) {
      const auto table = model.now().find(space);
      ASSERT_EQ(difference(content(subject.shard(id), space), table == model.now().end() ? ShardModel::Table{} : table->second),
                "")
          << "space " << static_cast<int>(space) << " after a replacement";
    }
  }

  void get() {
    const ShardId id = any_shard();
    const Bytes key = testing::random_key(random_);
    const auto& table = models_[id].now();
    const auto space = table.find(Space::records);
    const bool there = space != table.end() && space->second.contains(key);
    for (auto* subject : subjects_) {
      Bytes value;
      Lookup found = subject->shard(id).try_get(Space::records, key, value);
      if (found == Lookup::cold) {
        ++cold;
        ASSERT_TRUE(subject->run(subject->shard(id).load(Space::records, {key})));
        found = subject->shard(id).try_get(Space::records, key, value);
      }
      ASSERT_EQ(found, there ? Lookup::value : Lookup::absent) << printable(key);
      if (there) ASSERT_EQ(value, space->second.at(key));
    }
  }

  void walk() {
    if (walkers_.size() < 4 && random_.chance(0.5)) {
      const ShardId id = any_shard();
      auto made = std::make_unique<Walkers>();
      for (std::size_t i = 0; i < engines; ++i) made->subjects[i] = subjects_[i]->shard(id).cursor(Space::records);
      const auto& state = models_[id].now();
      if (const auto table = state.find(Space::records); table != state.end()) made->table = table->second;
      made->at = made->table.end();
      walkers_.push_back(std::move(made));
    }
    if (walkers_.empty()) return;
    Walkers& walkers = *walkers_[random_.below(walkers_.size())];
    for (std::uint64_t moves = random_.below(20); moves > 0 && !::testing::Test::HasFailure(); --moves) move(walkers);
    if (random_.chance(0.2)) walkers_.erase(walkers_.begin());
  }

  void move(Walkers& walkers) {
    const Bytes key = testing::random_key(random_);
    ShardModel::Table& table = walkers.table;
    const bool on_record = walkers.at != table.end();
    const auto before = [&](auto at) { return at == table.begin() ? table.end() : std::prev(at); };
    const std::uint64_t dice = random_.below(on_record ? 12 : 3);
    for (const auto& cursor : walkers.subjects) {
      switch (dice) {
        case 0: cursor->seek(key); break;
        case 1: cursor->seek_below(key); break;
        case 2: cursor->seek_last(); break;
        default: dice < 9 ? cursor->next() : cursor->previous();
      }
    }
    switch (dice) {
      case 0: walkers.at = table.lower_bound(key); break;
      case 1: walkers.at = before(table.lower_bound(key)); break;
      case 2: walkers.at = before(table.end()); break;
      default: walkers.at = dice < 9 ? std::next(walkers.at) : before(walkers.at);
    }
    for (std::size_t i = 0; i < engines; ++i) {
      SCOPED_TRACE(name(*subjects_[i]));
      Cursor& cursor = *walkers.subjects[i];
      if (cursor.state() == Cursor::State::cold) {
        ++cold;
        ASSERT_TRUE(subjects_[i]->run(cursor.load()));
      }
      ASSERT_EQ(cursor.state(), walkers.at == table.end() ? Cursor::State::end : Cursor::State::record) << dice;
      if (walkers.at == table.end()) continue;
      ASSERT_EQ(cursor.key(), walkers.at->first) << dice;
      ASSERT_EQ(cursor.value(), walkers.at->second) << dice;
    }
  }

  void checkpoint() {
    for (auto* subject : subjects_) {
      ASSERT_TRUE(subject->run(subject->engine().checkpoint()));
      for (const auto& [id, model] : models_) ASSERT_EQ(subject->shard(id).durable(), model.applied());
    }
  }

  static Task<> checkpoint_ignored(Engine& engine) { static_cast<void>(co_await engine.checkpoint()); }
  static Task<> finish_ignored(ShardEngine& shard, Offset offset) { static_cast<void>(co_await shard.finish_staging(offset)); }

  // A checkpoint is under way, entries go on being applied, and the disk dies in the middle of it; or it just ends.
  void crash() {
    walkers_.clear();
    const ShardId finishing = any_shard();
    const Offset finished(models_[finishing].applied().value() + 100);
    for (auto* subject : subjects_) {
      if (random_.chance(0.7)) subject->die_within(random_.below(12));
      if (!staging_[finishing].whole && random_.chance(0.5)) {
        subject->tasks().spawn(finish_ignored(subject->shard(finishing), finished));
      }
      if (random_.chance(0.8)) subject->tasks().spawn(checkpoint_ignored(subject->engine()));
    }
    for (std::uint64_t left = random_.below(12); left > 0; --left) {
      if (random_.chance(0.5)) apply();
      for (auto* subject : subjects_) subject->core().run_turn();
    }
    for (auto* subject : subjects_) {
      std::map<ShardId, Offset> durable;
      for (const auto& [id, model] : models_) durable[id] = subject->shard(id).durable();
      subject->crash(random_);
      start(*subject);
      if (!running_) return;
      SCOPED_TRACE(name(*subject) + ", after a crash");
      for (const auto& [id, model] : models_) recover(subject->shard(id), model, durable[id]);
    }
    staging_.clear();
  }

  void restart() {
    walkers_.clear();
    for (auto* subject : subjects_) {
      ASSERT_TRUE(subject->stop());
      start(*subject);
      if (!running_) return;
      SCOPED_TRACE(name(*subject) + ", restarted");
      for (const auto& [id, model] : models_) recover(subject->shard(id), model, model.applied());
    }
    staging_.clear();
  }

  // The state is exactly one that there was, no older than was promised; then the log is replayed.
  static void recover(ShardEngine& shard, const ShardModel& model, Offset promised) {
    ASSERT_GE(shard.applied(), promised);
    ASSERT_LE(shard.applied(), model.applied());
    ASSERT_EQ(shard.durable(), shard.applied());
    for (const Space space : spaces) {
      const auto& state = model.at(shard.applied());
      const auto table = state.find(space);
      ASSERT_EQ(difference(content(shard, space), table == state.end() ? ShardModel::Table{} : table->second), "")
          << "space " << static_cast<int>(space) << " at offset " << shard.applied().value();
    }
    // That the state became another was decided, and what it became is whole.
    if (shard.applied() < model.replaced()) {
      ASSERT_EQ(shard.staged(), model.replaced());
      shard.take_staged();
    }
    shard.stage_anew();
    for (Offset next = shard.applied().next(); next <= model.applied(); next = next.next()) {
      testing::apply_to(shard, model.entry(next), next);
    }
  }

  static ShardModel::Table content(ShardEngine& shard, Space space) {
    ShardModel::Table out;
    const std::unique_ptr<Cursor> cursor = shard.cursor(space);
    SystemClock clock;
    Core core(CoreId(9), clock, 1);
    for (cursor->seek({}); cursor->state() != Cursor::State::end; cursor->next()) {
      if (cursor->state() == Cursor::State::cold) EXPECT_TRUE(testing::run(core, cursor->load()));
      if (cursor->state() != Cursor::State::record) break;
      out.emplace(cursor->key(), cursor->value());
    }
    EXPECT_EQ(cursor->state(), Cursor::State::end);
    return out;
  }

  static std::string difference(const ShardModel::Table& found, const ShardModel::Table& wanted) {
    std::string out;
    for (const auto& [key, value] : wanted) {
      const auto at = found.find(key);
      if (at == found.end()) {
        out += "lost " + printable(key) + "; ";
      } else if (at->second != value) {
        out += "changed " + printable(key) + "; ";
      }
    }
    for (const auto& [key, value] : found) {
      if (!wanted.contains(key)) out += "invented " + printable(key) + "; ";
    }
    return out;
  }

  void drop() {
    walkers_.clear();
    const ShardId id = any_shard();
    for (auto* subject : subjects_) {
      ASSERT_TRUE(subject->run(subject->engine().drop(id)));
      const auto left = subject->engine().shards();
      ASSERT_EQ(std::count(left.begin(), left.end(), id), 0);
    }
    models_.erase(id);
    staging_.erase(id);
  }

  Random random_;
  testing::MemorySubject memory_;
  testing::RocksDbSubject rocksdb_;
  testing::TableSubject tables_;
  testing::EngineSubject* const subjects_[engines] = {&memory_, &rocksdb_, &tables_};
  bool running_ = false;
  struct Staging {
    ShardModel::State state;
    std::optional<Offset> whole;
  };
  std::map<ShardId, ShardModel> models_;
  std::map<ShardId, Staging> staging_;
  std::vector<std::unique_ptr<Walkers>> walkers_;
};

TEST(Engines, agree_with_each_other_and_the_model_through_crashes) {
  std::uint64_t first = 1, last = sanitized ? 6 : 24;
  if (const char* given = std::getenv("SKERRY_SEED")) first = last = std::strtoull(given, nullptr, 10);
  std::uint64_t cold = 0;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed));
    RandomRun run(seed);
    if (!HasFailure()) run.run(300);
    cold += run.cold;
  }
  RecordProperty("cold_reads", std::to_string(cold));
  if (first != last) EXPECT_GT(cold, 0U);
}

}  // namespace
}  // namespace skerry::store
