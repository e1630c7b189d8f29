// SPDX-License-Identifier: Apache-2.0
// Random requests, pipelined, against a plain model, over an engine that is cold at random. SKERRY_SEED replays one run,
// SKERRY_RUNS asks for more of them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "store/testing/model_shard.hpp"
#include "store/testing/test_shard.hpp"

namespace skerry::store {
namespace {

using testing::ModelShard;
using testing::TestShard;

constexpr int steps = 400;
constexpr std::uint64_t runs_default = 200;

// Requests over few keys, so that they meet.
class Requests {
 public:
  explicit Requests(Random& random) : random_(random) {}

  WriteRequest next(const std::vector<SessionId>& sessions, std::int64_t next_version) {
    texts_.clear();
    deltas_.clear();
    indexes_.clear();
    puts_.clear();
    deletes_.clear();
    ranges_.clear();
    guards_.clear();
    steps_.clear();
    const auto operations = random_.chance(0.6) ? 1 : 1 + random_.below(6);
    for (std::uint64_t i = 0; i < operations; ++i) {
      const auto kind = random_.below(10);
      if (kind < 7) {
        steps_.push_back(Step::put);
        puts_.push_back(put(sessions, next_version));
      } else if (kind < 9) {
        steps_.push_back(Step::erase);
        deletes_.push_back({key(), expected(next_version)});
      } else {
        steps_.push_back(Step::erase_range);
        const BytesView start = key();
        ranges_.push_back({start, key()});
      }
    }
    if (random_.chance(0.6)) return {puts_, deletes_, ranges_};
    while (random_.chance(0.3)) guards_.push_back(guard(next_version));
    return {puts_, deletes_, ranges_, true, guards_, steps_};
  }

  Guard guard(std::int64_t next_version) {
    Guard guard{key(), static_cast<Guard::Kind>(random_.below(3)), {}};
    if (guard.kind == Guard::Kind::version)
      guard.version = VersionId(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(next_version) + 1)));
    return guard;
  }

  BytesView key() {
    static const std::vector<Bytes> keys = {"",     "/",      "//",       "a",       "b",
                                            "/a",   "/b",     "/a/",      "/a//",    "/a/x",
                                            "/a/y", "/a/y/z", "/b/x",     "é",       "a-00000000000000000003",
                                            "%2F",  "\x01",   "__oxia/x", "/c\x01x", "z"};
    return keys[random_.below(keys.size())];
  }
  BytesView secondary() {
    static const std::vector<Bytes> keys = {"",
                                            "1",
                                            "2",
                                            "22",
                                            "2/2",
                                            "/",
                                            "//",
                                            "a/",
                                            {"2\x01"
                                             "2"},
                                            "2\x01",
                                            "__oxia/y",
                                            "x//"};
    return keys[random_.below(keys.size())];
  }
  BytesView index_name() {
    static const std::vector<Bytes> names = {"i", "i/2", ""};
    return names[random_.below(names.size())];
  }
  BytesView prefix() {
    static const std::vector<Bytes> prefixes = {"s", "t/", "/a/x"};
    return prefixes[random_.below(prefixes.size())];
  }

 private:
  std::optional<VersionId> expected(std::int64_t next_version) {
    if (random_.chance(0.6)) return std::nullopt;
    return VersionId(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(next_version) + 2)) - 1);
  }

  Put put(const std::vector<SessionId>& sessions, std::int64_t next_version) {
    Put put{};
    put.key = key();
    put.value = texts_.emplace_back("value " + std::to_string(random_.below(1000)));
    put.expected_version = expected(next_version);
    if (random_.chance(0.3))
      put.session = sessions.empty() || random_.chance(0.1) ? SessionId(999'999) : sessions[random_.below(sessions.size())];
    if (random_.chance(0.2)) put.client_identity = "someone";
    if (random_.chance(0.2)) put.partition_key = "p";
    if (random_.chance(0.5)) {
      auto& wanted = indexes_.emplace_back();
      for (auto count = 1 + random_.below(3); count > 0; --count) wanted.push_back({index_name(), secondary()});
      put.indexes = wanted;
    }
    if (random_.chance(0.05)) put.override_version = VersionId(static_cast<std::int64_t>(random_.below(200)));
    if (random_.chance(0.05)) put.override_modifications = static_cast<std::int64_t>(random_.below(200));
    if (random_.chance(0.15)) {
      put.key = prefix();
      put.partition_key = "p";
      auto& deltas = deltas_.emplace_back(std::vector<std::uint64_t>{1 + random_.below(5)});
      while (random_.chance(0.1)) deltas.push_back(random_.below(3));
      put.sequence_deltas = deltas;
    }
    return put;
  }

  Random& random_;
  std::deque<Bytes> texts_;
  std::deque<std::vector<std::uint64_t>> deltas_;
  std::deque<std::vector<SecondaryIndex>> indexes_;
  std::vector<Put> puts_;
  std::vector<Delete> deletes_;
  std::vector<DeleteRange> ranges_;
  std::vector<Guard> guards_;
  std::vector<Step> steps_;
};

bool same(const Version& a, const Version& b) {
  return a.version_id == b.version_id && a.modifications == b.modifications && a.created_millis == b.created_millis &&
         a.modified_millis == b.modified_millis && a.session == b.session && a.client_identity == b.client_identity;
}

void expect_same(const WriteOutcome& got, const WriteOutcome& wanted) {
  ASSERT_EQ(got.puts.size(), wanted.puts.size());
  for (std::size_t i = 0; i < got.puts.size(); ++i) {
    EXPECT_EQ(got.puts[i].status, wanted.puts[i].status);
    EXPECT_EQ(got.puts[i].key, wanted.puts[i].key);
    EXPECT_TRUE(same(got.puts[i].version, wanted.puts[i].version));
  }
  EXPECT_EQ(got.deletes, wanted.deletes);
  EXPECT_EQ(got.delete_ranges, wanted.delete_ranges);
  EXPECT_EQ(got.rejection, wanted.rejection);
}

bool same(const GetOutcome& a, const GetOutcome& b) {
  return a.status == b.status && a.value == b.value && a.key == b.key && a.secondary_key == b.secondary_key &&
         same(a.version, b.version);
}

// One run: the shard under test, the model of what is proposed, and models of what is committed after each entry in flight.
class Run {
 public:
  Run(std::uint64_t seed, KeyOrder order, double cold)
      : random_(seed), requests_(random_), shard_(order, ShardId(1), cold, seed), proposed_(order), committed_(order) {}

  void step() {
    const auto kind = random_.below(100);
    if (kind < 50) {
      write();
    } else if (kind < 53) {
      create_session();
    } else if (kind < 56) {
      end_session();
    } else if (kind < 75) {
      commit();
    } else if (kind < 76) {
      lose_leadership();
    } else if (kind < 78) {
      sweep();
    } else if (kind < 80) {
      shard_.advance(std::chrono::milliseconds(random_.below(1000)));
    } else {
      read();
    }
  }

  void finish() {
    while (shard_.anything_in_flight()) commit();
    for (std::size_t i = 0; i < 30; ++i) read();
    std::vector<SessionId> all = sessions_;
    ASSERT_TRUE(std::holds_alternative<Proposal>(shard_.end_sessions(all)));
    shard_.commit_all();
    for (const SessionId session : all) committed_.end_session(session);
    while (shard_.machine().sweep_due(Stamp::at(shard_.now()))) {
      ASSERT_TRUE(std::holds_alternative<Proposal>(shard_.sweep()));
      shard_.commit_all();
    }
    for (std::size_t i = 0; i < 30; ++i) read();
    const auto tables = shard_.dump();
    EXPECT_EQ(tables, shard_.dump_of_replay());
    std::size_t shadows = 0, entries = 0, wanted = 0;
    for (const std::string& line : tables) {
      shadows += line.starts_with("shadows ");
      entries += line.starts_with("indexes ");
    }
    for (const char* name : {"i", "i/2", ""}) wanted += committed_.scan({"", "", name, false}).size();
    EXPECT_EQ(shadows, 0U) << "a shadow outlived its session";
    EXPECT_EQ(entries, wanted) << "the sweep left an orphan, or took what was none";
  }

  std::uint64_t times_cold() const { return shard_.times_cold(); }

 private:
  void in_flight() { after_.push_back(proposed_); }

  void write() {
    const WriteRequest request = requests_.next(sessions_, proposed_.next_version());
    const std::uint64_t millis = shard_.machine().last_stamp().after(shard_.now()).millis();
    const auto wanted = proposed_.write(request, millis);
    const auto got = shard_.write(request);
    ASSERT_EQ(std::holds_alternative<Proposal>(got), wanted.has_value());
    if (!wanted) return;
    const auto& proposal = std::get<Proposal>(got);
    expect_same(proposal.outcome, *wanted);
    if (!proposal.entry.empty()) in_flight();
  }

  void create_session() {
    const SessionId session(std::int64_t{1} << 44 |
                            (shard_.machine().applied().value() + 1 + static_cast<std::int64_t>(after_.size())));
    shard_.create_session(5s, "me");
    proposed_.create_session(session);
    sessions_.push_back(session);
    in_flight();
  }

  void end_session() {
    if (sessions_.empty()) return;
    const SessionId session = sessions_[random_.below(sessions_.size())];
    const auto got = shard_.end_sessions({session, SessionId(12345)});
    ASSERT_TRUE(std::holds_alternative<Proposal>(got));
    EXPECT_FALSE(std::get<Proposal>(got).more);
    proposed_.end_session(session);
    if (!std::get<Proposal>(got).entry.empty()) in_flight();
  }

  void sweep() {
    ASSERT_TRUE(std::holds_alternative<Proposal>(shard_.sweep()));
    // A sweep may or may not have something to log; nothing that anyone sees changes.
    while (static_cast<std::int64_t>(after_.size()) < static_cast<std::int64_t>(shard_.in_flight())) in_flight();
  }

  void commit() {
    if (!shard_.anything_in_flight()) return;
    shard_.commit();
    committed_ = std::move(after_.front());
    after_.pop_front();
  }

  void lose_leadership() {
    if (random_.chance(0.5)) {
      shard_.drop();
    } else {
      shard_.restart();
    }
    after_.clear();
    proposed_ = committed_;
  }

  void read() {
    const auto index = random_.chance(0.5) ? std::optional(Bytes(requests_.index_name())) : std::nullopt;
    Get get{};
    get.key = index ? requests_.secondary() : requests_.key();
    get.comparison = static_cast<Comparison>(random_.below(5));
    get.include_value = random_.chance(0.5);
    if (index) get.index = *index;
    EXPECT_TRUE(same(shard_.get(get), committed_.get(get)))
        << "get " << static_cast<int>(get.comparison) << ' ' << printable(get.key) << " index "
        << printable(index.value_or("none"));

    Range range{Bytes(index ? requests_.secondary() : requests_.key()), Bytes(index ? requests_.secondary() : requests_.key()),
                index, false};
    if (random_.chance(0.3)) range.start.clear();
    if (random_.chance(0.3)) range.end.clear();
    const auto got = shard_.scan(range), wanted = committed_.scan(range);
    ASSERT_EQ(got.size(), wanted.size()) << "scan " << printable(range.start) << ' ' << printable(range.end) << " index "
                                         << printable(index.value_or("none"));
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same(got[i], wanted[i])) << i;

    const BytesView prefix = requests_.prefix();
    EXPECT_EQ(shard_.highest_sequence_key(prefix), committed_.highest_sequence_key(prefix));
  }

  Random random_;
  Requests requests_;
  TestShard shard_;
  ModelShard proposed_, committed_;
  std::deque<ModelShard> after_;        // each entry in flight
  std::vector<SessionId> sessions_;     // ever created
};

std::uint64_t run(std::uint64_t seed, KeyOrder order, double cold) {
  SCOPED_TRACE("SKERRY_SEED=" + std::to_string(seed));
  Run run(seed, order, cold);
  for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) run.step();
  if (!::testing::Test::HasFailure()) run.finish();
  return run.times_cold();
}

class StateMachineRandom : public ::testing::TestWithParam<KeyOrder> {};

TEST_P(StateMachineRandom, does_what_the_plain_model_does) {
  std::uint64_t times_cold = 0;
  if (const char* seed = std::getenv("SKERRY_SEED")) {
    times_cold = run(std::stoull(seed), GetParam(), 0.2);
  } else {
    const char* wanted = std::getenv("SKERRY_RUNS");
    const std::uint64_t runs = wanted ? std::stoull(wanted) : runs_default;
    for (std::uint64_t i = 1; i <= runs && !HasFailure(); ++i) times_cold += run(i, GetParam(), i % 2 == 0 ? 0.2 : 0);
  }
  if (!HasFailure() && !std::getenv("SKERRY_SEED")) EXPECT_GT(times_cold, 1000U) << "the engine was hardly ever cold";
}

INSTANTIATE_TEST_SUITE_P(, StateMachineRandom, ::testing::Values(KeyOrder::hierarchical, KeyOrder::natural),
                         [](const auto& info) { return info.param == KeyOrder::natural ? "natural" : "hierarchical"; });

}  // namespace
}  // namespace skerry::store
