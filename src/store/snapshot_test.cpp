// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "store/snapshot_installer.hpp"
#include "store/snapshot_source.hpp"
#include "store/testing/engine_model.hpp"
#include "store/testing/engine_subject.hpp"
#include "store/testing/test_shard.hpp"

namespace skerry::store {
namespace {

using State = testing::ShardModel::State;

constexpr ShardId shard_id{7};
const SnapshotHead head{.shard = shard_id, .term = Term(3), .version = MembershipVersion(2), .bytes = 1000};
const SnapshotReader::Visitor nobody = [](Space, BytesView, BytesView) -> Result<> { return {}; };

void put(ShardEngine& shard, Space space, const Bytes& key, const Bytes& value) {
  const Write write{Write::Kind::put, space, key, value};
  shard.apply({&write, 1}, shard.applied().next());
}

// A machine with an engine that forgets, and what a test does on it.
struct Machine {
  explicit Machine(std::unique_ptr<testing::EngineSubject> made) : subject(std::move(made)) { start(); }
  void start() {
    const auto started = subject->start();
    SKERRY_ASSERT(started.has_value());
  }
  ShardEngine& shard() { return subject->shard(shard_id); }
  std::vector<Bytes> blocks_of(SnapshotSource& source) {
    std::vector<Bytes> blocks;
    for (;;) {
      auto block = subject->run(source.next());
      SKERRY_ASSERT(block.has_value());
      if (!*block) return blocks;
      blocks.push_back(**std::move(block));
    }
  }
  std::vector<Bytes> snapshot() {
    SnapshotSource source(shard(), head);
    return blocks_of(source);
  }
  State state() {
    State out;
    for (std::uint8_t space = 1; space < space_count; ++space) {
      const auto cursor = shard().cursor(Space{space});
      cursor->seek({});
      for (; cursor->state() != Cursor::State::end; cursor->next()) {
        while (cursor->state() == Cursor::State::cold) SKERRY_ASSERT(subject->run(cursor->load()).has_value());
        if (cursor->state() == Cursor::State::end) break;
        out[Space{space}].emplace(cursor->key(), cursor->value());
      }
    }
    return out;
  }
  void crash(Random& random) {
    subject->crash(random);
    start();
  }

  std::unique_ptr<testing::EngineSubject> subject;
};

constexpr std::uint64_t cache_bytes = 256 << 10;

Machine in_memory() { return Machine(std::make_unique<testing::MemorySubject>()); }
Machine with_tables() {
  return Machine(std::make_unique<testing::TableSubject>(cache_bytes, testing::DatabaseSubject::Threads::none));
}
Machine with_rocksdb() {
  return Machine(std::make_unique<testing::RocksDbSubject>(cache_bytes, testing::DatabaseSubject::Threads::none));
}

void fill(ShardEngine& shard, int records, std::size_t bytes, char first = 'a') {
  for (int i = 0; i < records; ++i) {
    const auto number = std::to_string(100'000 + i);
    put(shard, i % 10 == 0 ? Space::indexes : Space::records, first + number, Bytes(bytes, static_cast<char>('a' + i % 26)));
  }
}

Result<> install(Machine& machine, const std::vector<Bytes>& blocks) {
  SnapshotInstaller installer(machine.shard(), shard_id, KeyOrder::hierarchical);
  for (const Bytes& block : blocks) TRYV(installer.take(block));
  TRYV(machine.subject->run(installer.finish()));
  machine.shard().take_staged();
  return {};
}

TEST(Snapshot, every_engine_gives_the_state_that_it_was_given_and_takes_it_from_every_other) {
  Machine machines[] = {in_memory(), with_tables(), with_rocksdb()};
  Random random(1);
  for (int i = 0; i < 3000; ++i) {
    auto entry = testing::random_entry(random);
    std::erase_if(entry, [](const auto& write) { return write.space == Space::sessions; });   // those must be sessions
    for (Machine& machine : machines) testing::apply_to(machine.shard(), entry, machine.shard().applied().next());
  }
  const State wanted = machines[0].state();
  const Offset offset = machines[0].shard().applied();
  const auto blocks = machines[0].snapshot();
  ASSERT_GT(blocks.size(), 3U);
  for (Machine& machine : machines) {
    EXPECT_EQ(machine.snapshot(), blocks);
    Machine other = with_tables();
    put(other.shard(), Space::records, "of before", "must go");
    ASSERT_TRUE(install(other, machine.snapshot()));
    EXPECT_EQ(other.state(), wanted);
    EXPECT_EQ(other.shard().applied(), offset);
  }
}

TEST(Snapshot, what_is_written_meanwhile_is_not_in_it) {
  for (Machine& machine : std::array{in_memory(), with_tables(), with_rocksdb()}) {
    fill(machine.shard(), 500, 3000);
    const State before = machine.state();
    SnapshotSource source(machine.shard(), head);
    auto first = machine.subject->run(source.next());
    fill(machine.shard(), 500, 3000, 'A');
    put(machine.shard(), Space::records, "a100001", "other");
    ASSERT_TRUE(machine.subject->run(machine.subject->engine().checkpoint()));
    auto blocks = machine.blocks_of(source);
    blocks.insert(blocks.begin(), **std::move(first));
    ASSERT_TRUE(install(machine, blocks));
    EXPECT_EQ(machine.state(), before);
    EXPECT_EQ(machine.shard().applied(), Offset(499));
  }
}

TEST(Snapshot, an_empty_shard_has_one_too) {
  Machine machine = in_memory(), other = in_memory();
  put(machine.shard(), Space::records, "a", "1");
  const Write erase{Write::Kind::erase, Space::records, "a", {}};
  machine.shard().apply({&erase, 1}, Offset(1));
  fill(other.shard(), 10, 10);
  ASSERT_TRUE(install(other, machine.snapshot()));
  EXPECT_TRUE(other.state().empty());
  EXPECT_EQ(other.shard().applied(), Offset(1));
}

TEST(Snapshot, its_head_says_what_it_stands_for) {
  Machine machine = in_memory();
  fill(machine.shard(), 10, 10);
  SnapshotSource source(machine.shard(), head);
  SnapshotReader reader;
  ASSERT_TRUE(reader.take(**machine.subject->run(source.next()), nobody));
  EXPECT_EQ(reader.head(), source.head());
  EXPECT_EQ(reader.head().offset, Offset(9));
  EXPECT_EQ(reader.head().term, Term(3));
}

TEST(Snapshot, a_sender_goes_on_where_the_reader_stands_however_often_it_is_interrupted) {
  Machine machine = with_tables(), other = with_tables();
  fill(machine.shard(), 4000, 1500);
  SnapshotSource source(machine.shard(), head);
  SnapshotInstaller installer(other.shard(), shard_id, KeyOrder::hierarchical);
  Random random(5);
  int interruptions = 0;
  while (!installer.whole()) {
    const auto block = machine.subject->run(source.next());
    ASSERT_TRUE(block);
    if (*block && !random.chance(0.4)) {
      ASSERT_TRUE(installer.take(**block));
      continue;
    }
    ++interruptions;   // this block and some that follow are lost
    for (auto lost = random.below(3); lost > 0; --lost) ASSERT_TRUE(machine.subject->run(source.next()));
    source.go_on(installer.place());
  }
  EXPECT_GT(interruptions, 5);
  ASSERT_TRUE(other.subject->run(installer.finish()));
  other.shard().take_staged();
  EXPECT_EQ(other.state(), machine.state());
}

TEST(Snapshot, damage_at_any_bit_is_refused) {
  Machine machine = in_memory();
  fill(machine.shard(), 12, 5);
  const auto blocks = machine.snapshot();
  for (std::size_t damaged = 0; damaged < blocks.size(); ++damaged) {
    for (std::size_t bit = 0; bit < blocks[damaged].size() * 8; ++bit) {
      auto copy = blocks;
      copy[damaged][bit / 8] = static_cast<char>(copy[damaged][bit / 8] ^ (1 << bit % 8));
      SnapshotReader reader;
      const bool taken = std::ranges::all_of(copy, [&](const Bytes& block) { return reader.take(block, nobody).has_value(); });
      ASSERT_FALSE(taken && reader.whole()) << "block " << damaged << " bit " << bit;
    }
  }
}

TEST(Snapshot, a_block_that_is_missing_doubled_swapped_or_of_another_snapshot_is_refused) {
  Machine machine = in_memory();
  fill(machine.shard(), 1200, 1000);
  const auto blocks = machine.snapshot();
  put(machine.shard(), Space::records, "more", "1");
  const auto others = machine.snapshot();
  ASSERT_GE(blocks.size(), 5U);
  const auto passes = [](const std::vector<Bytes>& given) {
    SnapshotReader reader;
    return std::ranges::all_of(given, [&](const Bytes& block) { return reader.take(block, nobody).has_value(); }) &&
           reader.whole();
  };
  ASSERT_TRUE(passes(blocks));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    auto missing = blocks, doubled = blocks, swapped = blocks, foreign = blocks;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    doubled.insert(doubled.begin() + static_cast<std::ptrdiff_t>(i), blocks[i]);
    std::swap(swapped[i], swapped[(i + 1) % blocks.size()]);
    foreign[i] = others[i];
    EXPECT_FALSE(passes(missing)) << i;
    EXPECT_FALSE(passes(doubled)) << i;
    EXPECT_FALSE(passes(swapped)) << i;
    EXPECT_FALSE(passes(foreign)) << i;
  }
}

TEST(Snapshot, of_another_shard_or_order_is_refused) {
  Machine machine = in_memory(), other = in_memory();
  fill(machine.shard(), 3, 3);
  const Bytes first = machine.snapshot().front();
  EXPECT_EQ(SnapshotInstaller(other.shard(), ShardId(8), KeyOrder::hierarchical).take(first).error(),
            make_error_code(Errc::invalid_argument));
  EXPECT_EQ(SnapshotInstaller(other.shard(), shard_id, KeyOrder::natural).take(first).error(),
            make_error_code(Errc::invalid_argument));
}

TEST(Snapshot, blocks_are_found_again_in_pieces_of_any_size) {
  Machine machine = in_memory();
  fill(machine.shard(), 900, 1000);
  const auto blocks = machine.snapshot();
  Bytes file;
  for (const Bytes& block : blocks) file += block;
  Random random(3);
  BlockSplitter splitter;
  std::vector<Bytes> found;
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t piece = std::min<std::size_t>(file.size() - at, 1 + random.below(random.chance(0.5) ? 30 : 600'000));
    splitter.add(BytesView(file).substr(at, piece));
    at += piece;
    for (;;) {
      const auto block = splitter.next();
      ASSERT_TRUE(block);
      if (!*block) break;
      found.emplace_back(**block);
    }
  }
  EXPECT_EQ(found, blocks);
  EXPECT_TRUE(splitter.empty());
}

// The power goes anywhere between the first block and the checkpoint after the replacement.
void crash_anywhere(const std::function<Machine()>& make) {
  Machine sender = in_memory();
  fill(sender.shard(), 300, 2000);
  const auto blocks = sender.snapshot();
  const State after = sender.state();
  int before_seen = 0, staged_seen = 0, after_seen = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Machine machine = make();
    fill(machine.shard(), 40, 500, 'B');
    ASSERT_TRUE(machine.subject->run(machine.subject->engine().checkpoint()));
    const State before = machine.state();

    // What has been done for good when the disk dies: whole, and decided.
    bool whole = false, taken = false;
    SnapshotInstaller installer(machine.shard(), shard_id, KeyOrder::hierarchical);
    if (random.chance(0.8)) machine.subject->die_within(random.below(random.chance(0.5) ? 20 : 300));
    for (const Bytes& block : blocks) {
      ASSERT_TRUE(installer.take(block));
      if (random.chance(0.3)) static_cast<void>(machine.subject->run(machine.subject->engine().checkpoint()));
    }
    whole = random.chance(0.8) && machine.subject->run(installer.finish()).has_value();
    if (whole && random.chance(0.8)) {
      machine.shard().take_staged();
      taken = true;
      if (random.chance(0.5)) static_cast<void>(machine.subject->run(machine.subject->engine().checkpoint()));
    }
    machine.crash(random);

    if (machine.shard().applied() == Offset(299)) {
      ASSERT_TRUE(taken);
      ASSERT_EQ(machine.state(), after);
      ++after_seen;
      continue;
    }
    ASSERT_EQ(machine.shard().applied(), Offset(39));
    ASSERT_EQ(machine.state(), before);
    ++before_seen;
    if (whole) ASSERT_EQ(machine.shard().staged(), Offset(299));
    if (!machine.shard().staged()) continue;
    ++staged_seen;
    machine.shard().take_staged();
    ASSERT_EQ(machine.state(), after);
  }
  EXPECT_GT(before_seen, 5);
  EXPECT_GT(staged_seen, 2);
  EXPECT_GT(after_seen, 2);
}

TEST(Snapshot, a_crash_anywhere_leaves_the_old_state_or_the_new_in_memory) { crash_anywhere(in_memory); }
TEST(Snapshot, a_crash_anywhere_leaves_the_old_state_or_the_new_in_tables) { crash_anywhere(with_tables); }
TEST(Snapshot, a_crash_anywhere_leaves_the_old_state_or_the_new_in_rocksdb) { crash_anywhere(with_rocksdb); }

TEST(Snapshot, a_state_machine_goes_on_from_it_as_if_it_had_applied_every_entry) {
  MemoryEngine engine, other;
  StateMachine machine(shard_id, KeyOrder::hierarchical, **engine.shard(shard_id));
  StateMachine follower(shard_id, KeyOrder::hierarchical, **other.shard(shard_id));
  ManualClock clock;
  Core core(CoreId{0}, clock, 1);
  ASSERT_TRUE(testing::run(core, machine.open()));
  ASSERT_TRUE(testing::run(core, follower.open()));
  Offset next{0};
  std::vector<Bytes> entries;
  const auto take = [&](Proposal proposal) {
    entries.push_back(proposal.entry);
    ASSERT_TRUE(machine.apply(next, proposal.entry));
    next = next.next();
  };
  take(machine.evaluate_barrier(next, Stamp(10), Term(4)));
  take(machine.evaluate_create_session(5s, "client", next, Stamp(11)));

  SnapshotSource source(**engine.shard(shard_id), head);
  SnapshotInstaller installer(**other.shard(shard_id), shard_id, KeyOrder::hierarchical);
  for (;;) {
    const auto block = testing::run(core, source.next());
    ASSERT_TRUE(block);
    if (!*block) break;
    ASSERT_TRUE(installer.take(**block));
  }
  ASSERT_TRUE(testing::run(core, installer.finish()));
  (*other.shard(shard_id))->take_staged();
  follower.replaced(std::move(installer.bookkeeping()));
  EXPECT_EQ(follower.applied(), Offset(1));
  EXPECT_EQ(follower.term(), Term(4));
  EXPECT_EQ(follower.last_stamp(), Stamp(11));
  EXPECT_EQ(follower.next_version_id(), machine.next_version_id());
  ASSERT_EQ(follower.sessions().size(), 1U);
  EXPECT_EQ(follower.sessions()[0].id, machine.sessions()[0].id);

  take(machine.evaluate_create_session(5s, "another", next, Stamp(12)));
  ASSERT_TRUE(follower.apply(Offset(2), entries.back()));
  EXPECT_EQ(follower.sessions().size(), 2U);
}

}  // namespace
}  // namespace skerry::store
