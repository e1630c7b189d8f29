// SPDX-License-Identifier: Apache-2.0
// What the scripts can't tell: limits, many records, damage.
#include "store/state_machine.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "store/entry.hpp"
#include "store/testing/test_shard.hpp"

namespace skerry::store {
namespace {

using testing::TestShard;

Put put_of(BytesView key, BytesView value = {}) {
  Put put{};
  put.key = key;
  put.value = value;
  return put;
}

Proposal write(TestShard& shard, const std::vector<Put>& puts, const std::optional<RequestId>& id = std::nullopt) {
  auto result = shard.write({puts, {}, {}}, id);
  EXPECT_TRUE(std::holds_alternative<Proposal>(result));
  return std::get<Proposal>(std::move(result));
}

Error refusal(TestShard& shard, const WriteRequest& request, const std::optional<RequestId>& id = std::nullopt) {
  auto result = shard.write(request, id);
  EXPECT_TRUE(std::holds_alternative<Error>(result));
  EXPECT_FALSE(shard.anything_in_flight());
  return std::holds_alternative<Error>(result) ? std::get<Error>(result) : Error{};
}

TEST(StateMachine, accepts_what_is_as_large_as_the_limits_and_refuses_one_byte_more) {
  TestShard shard(KeyOrder::hierarchical);
  const Bytes key(limits::key_bytes_max, 'k'), value(limits::value_bytes_max, 'v');
  write(shard, {put_of(key, value)});
  shard.commit_all();
  const Put long_key = put_of(key + "k"), long_value[] = {put_of("k", value + "v")};
  const Error error = refusal(shard, {{&long_key, 1}, {}, {}});
  EXPECT_EQ(error, Errc::resource_exhausted);
  EXPECT_EQ(error.text, "put 0: key has 65537 bytes, at most 65536 are allowed");
  EXPECT_EQ(refusal(shard, {long_value, {}, {}}).text, "put 0: value has 33554433 bytes, at most 33554432 are allowed");

  const std::vector<Put> large = {put_of("a", value), put_of("b", value)};
  EXPECT_EQ(refusal(shard, {large, {}, {}}), Errc::resource_exhausted);
  const std::vector<Delete> many(limits::batch_operations_max + 1, Delete{"k", std::nullopt});
  EXPECT_EQ(refusal(shard, {{}, many, {}}), Errc::resource_exhausted);
}

TEST(StateMachine, refuses_too_many_indexes_and_sequence_parts) {
  TestShard shard(KeyOrder::hierarchical);
  const std::vector<SecondaryIndex> indexes(limits::secondary_indexes_max + 1, SecondaryIndex{"i", "k"});
  Put put = put_of("k");
  put.indexes = indexes;
  EXPECT_EQ(refusal(shard, {{&put, 1}, {}, {}}), Errc::resource_exhausted);
  put.indexes = std::span(indexes).subspan(1);
  write(shard, {put});
  shard.commit_all();

  const std::vector<std::uint64_t> deltas(limits::sequence_deltas_max + 1, 1);
  Put sequence = put_of("s");
  sequence.partition_key = "p";
  sequence.sequence_deltas = deltas;
  EXPECT_EQ(refusal(shard, {{&sequence, 1}, {}, {}}), Errc::resource_exhausted);
  const Bytes prefix(limits::key_bytes_max - 20, 'p');
  sequence.key = prefix;
  sequence.sequence_deltas = std::span(deltas).first(1);
  EXPECT_EQ(refusal(shard, {{&sequence, 1}, {}, {}}), Errc::resource_exhausted);
}

// Their values fit, what must be said of old indexes does not: only the entry itself tells.
TEST(StateMachine, an_entry_above_its_limit_is_refused_and_leaves_no_trace) {
  TestShard shard(KeyOrder::hierarchical);
  const Bytes secondary(limits::key_bytes_max, 's');
  std::vector<Bytes> names;
  for (std::size_t i = 0; i < limits::secondary_indexes_max; ++i) names.push_back(std::to_string(i));
  std::vector<SecondaryIndex> indexes;
  for (const Bytes& name : names) indexes.push_back({name, secondary});
  std::vector<Bytes> keys;
  std::vector<Delete> deletes;
  for (int i = 0; i < 15; ++i) keys.push_back("k" + std::to_string(i));
  for (const Bytes& key : keys) {
    Put put = put_of(key);
    put.indexes = indexes;
    write(shard, {put});
    shard.commit_all();
    deletes.push_back({key, std::nullopt});
  }
  EXPECT_EQ(refusal(shard, {{}, deletes, {}}), Errc::resource_exhausted);
  EXPECT_EQ(shard.list({}).size(), keys.size());
  write(shard, {put_of("k0")});
  shard.commit_all();
  EXPECT_EQ(shard.dump(), shard.dump_of_replay());
}

TEST(StateMachine, a_reply_too_large_to_remember_is_refused) {
  TestShard shard(KeyOrder::hierarchical);
  std::vector<Bytes> keys;
  for (int i = 0; i < 40'000; ++i) keys.push_back(std::to_string(i));
  std::vector<Put> puts;
  for (const Bytes& key : keys) puts.push_back(put_of(key));
  EXPECT_EQ(refusal(shard, {puts, {}, {}}, RequestId{"client", 1}), Errc::resource_exhausted);
  write(shard, puts);
  shard.commit_all();
  EXPECT_EQ(shard.list({}).size(), keys.size());
}

// Its shadows are many keys; the session is over with the first entry, and its records go with the following.
TEST(StateMachine, a_session_with_very_many_records_ends_over_several_entries) {
  for (const double cold : {0.0, 0.001}) {
    TestShard shard(KeyOrder::hierarchical, ShardId(0), cold, 7);
    shard.create_session(5s, "me");
    shard.commit_all();
    constexpr std::size_t count = 25'000;
    std::vector<Bytes> keys;
    for (std::size_t i = 0; i < count; ++i) keys.push_back("/e/" + std::to_string(i));
    std::vector<Put> puts;
    for (const Bytes& key : keys) {
      puts.push_back(put_of(key));
      puts.back().session = SessionId(0);
    }
    write(shard, puts);
    shard.commit_all();

    auto first = shard.end_sessions({SessionId(0)});
    ASSERT_TRUE(std::get<Proposal>(first).more);
    EXPECT_EQ(shard.commit().sessions_ended, std::vector{SessionId(0)});
    EXPECT_FALSE(shard.machine().session_exists(SessionId(0)));
    EXPECT_TRUE(shard.machine().sessions().empty());
    puts.resize(1);
    EXPECT_EQ(write(shard, puts).outcome.puts[0].status, Status::session_does_not_exist);

    shard.restart();   // a new leader finds what is left to do
    EXPECT_EQ(shard.machine().sessions_ending(), std::vector{SessionId(0)});
    bool more = true;
    while (more) {
      more = std::get<Proposal>(shard.end_sessions(shard.machine().sessions_ending())).more;
      EXPECT_TRUE(shard.commit().sessions_ended.empty());
    }
    EXPECT_TRUE(shard.machine().sessions_ending().empty());
    EXPECT_TRUE(shard.list({}).empty());
    for (const std::string& line : shard.dump()) EXPECT_TRUE(line.starts_with("meta ")) << line;
  }
}

TEST(StateMachine, sweeping_very_many_orphans_takes_bounded_steps) {
  TestShard shard(KeyOrder::hierarchical);
  constexpr std::size_t count = 3000;
  std::vector<Bytes> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back("/o/" + std::to_string(i));
  const SecondaryIndex index[] = {{"i", "same"}};
  std::vector<Put> puts;
  for (const Bytes& key : keys) {
    puts.push_back(put_of(key));
    puts.back().indexes = index;
  }
  write(shard, puts);
  const DeleteRange range[] = {{"/o/1", "/o/9"}};
  ASSERT_TRUE(std::holds_alternative<Proposal>(shard.write({{}, {}, range})));
  shard.commit_all();
  const std::size_t left = shard.list({}).size();
  EXPECT_EQ(shard.list({"", "", "i", false}).size(), left);

  // A drop in the middle, and writes meanwhile.
  for (int step = 0; step < 3; ++step) ASSERT_FALSE(std::get<Proposal>(shard.sweep()).entry.empty());
  shard.drop();
  std::size_t steps = 0;
  while (shard.machine().sweep_due(Stamp::at(shard.now()))) {
    ASSERT_TRUE(std::holds_alternative<Proposal>(shard.sweep()));
    if (steps == 1) write(shard, {puts[1]});
    shard.commit_all();
    ++steps;
  }
  EXPECT_GT(steps, 4U);
  std::size_t entries = 0;
  for (const std::string& line : shard.dump()) entries += line.starts_with("indexes ");
  EXPECT_EQ(entries, left + 1);
  EXPECT_EQ(shard.dump(), shard.dump_of_replay());
}

TEST(StateMachine, a_range_deletion_during_a_sweep_makes_the_next_one_due) {
  TestShard shard(KeyOrder::hierarchical);
  const SecondaryIndex index[] = {{"i", "x"}};
  Put put = put_of("/a");
  put.indexes = index;
  const DeleteRange range[] = {{"/a", "/b"}};
  ASSERT_TRUE(std::holds_alternative<Proposal>(shard.write({{}, {}, range})));
  shard.commit_all();
  write(shard, {put});
  ASSERT_TRUE(std::holds_alternative<Proposal>(shard.write({{}, {}, range})));
  ASSERT_TRUE(std::holds_alternative<Proposal>(shard.sweep()));   // sees neither, they are in flight
  shard.commit_all();
  EXPECT_TRUE(shard.machine().sweep_due(Stamp::at(shard.now())));
  ASSERT_TRUE(std::holds_alternative<Proposal>(shard.sweep()));
  shard.commit_all();
  EXPECT_FALSE(shard.machine().sweep_due(Stamp::at(shard.now())));
  for (const std::string& line : shard.dump()) EXPECT_FALSE(line.starts_with("indexes ")) << line;
}

TEST(StateMachine, a_window_of_requests_is_remembered_and_the_one_before_it_is_not) {
  TestShard shard(KeyOrder::hierarchical);
  for (std::uint64_t i = 0; i <= limits::request_window_replies; ++i) write(shard, {put_of("k")}, RequestId{"c", i});
  shard.commit_all();
  const Put put = put_of("k");
  EXPECT_EQ(refusal(shard, {{&put, 1}, {}, {}}, RequestId{"c", 0}), Errc::aborted);
  EXPECT_EQ(write(shard, {put}, RequestId{"c", 1}).outcome.puts[0].version.version_id, VersionId(1));
  EXPECT_FALSE(shard.anything_in_flight());
}

TEST(StateMachine, bytes_that_are_no_entry_are_refused_and_change_nothing) {
  TestShard shard(KeyOrder::hierarchical);
  write(shard, {put_of("k", "v")});
  shard.commit_all();
  const auto before = shard.dump();
  const auto entry = [](Effect effect) {
    Bytes effects;
    append_effect({Effect::Action::put, Space::records, std::nullopt, "applied", "by halves"}, effects);
    append_effect(effect, effects);
    return encode_entry({EntryKind::write, false, Stamp(9), VersionId(99), std::nullopt}, effects);
  };
  for (const Bytes& bad : {Bytes{}, Bytes("garbage"), entry({Effect::Action::put, Space::meta, std::nullopt, "unknown", "x"}),
                           entry({Effect::Action::erase, Space::meta, std::nullopt, "term", {}}),
                           entry({Effect::Action::put, Space::meta, std::nullopt, "swept", "short"}),
                           entry({Effect::Action::put, Space::sessions, std::nullopt, "short", "x"}),
                           entry({Effect::Action::put, Space::sessions, std::nullopt, "12345678", "bad"}),
                           entry({Effect::Action::erase_range, Space::sessions, std::nullopt, "1", "2"})})
    EXPECT_EQ(shard.machine().apply(Offset(1), bad).error(), Errc::corrupt) << printable(bad);
  EXPECT_EQ(shard.dump(), before);
  EXPECT_EQ(shard.machine().next_version_id(), VersionId(1));
}

TEST(StateMachine, a_barrier_made_before_earlier_entries_were_applied_takes_nothing_back) {
  TestShard old_leader(KeyOrder::hierarchical);
  write(old_leader, {put_of("a")});
  old_leader.advance(1h);
  write(old_leader, {put_of("b")});
  old_leader.commit_all();

  TestShard new_leader(KeyOrder::hierarchical);   // has both in its log, has applied none, and its clock is behind
  StateMachine& machine = new_leader.machine();
  const Proposal barrier = machine.evaluate_barrier(Offset(2), Stamp(5), Term(3));
  ASSERT_TRUE(machine.apply(Offset(0), old_leader.log()[0]));
  ASSERT_TRUE(machine.apply(Offset(1), old_leader.log()[1]));
  ASSERT_TRUE(machine.apply(Offset(2), barrier.entry));
  EXPECT_EQ(machine.next_version_id(), VersionId(2));
  EXPECT_EQ(machine.last_stamp(), old_leader.machine().last_stamp());
  EXPECT_EQ(write(new_leader, {put_of("c")}).outcome.puts[0].version.version_id, VersionId(2));
}

// A walk over the whole state for nothing would hold up everyone else on the core.
TEST(StateMachine, a_scan_lets_others_run_while_it_skips_what_its_range_leaves_out) {
  TestShard shard(KeyOrder::hierarchical);
  const auto session = SessionId(static_cast<std::int64_t>(shard.log().size()));
  shard.create_session(5s, "me");
  std::vector<Bytes> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back("/mine/" + std::to_string(i));
  const SecondaryIndex index[] = {{"i", "1"}};
  std::vector<Put> puts;
  for (const Bytes& key : keys) {
    puts.push_back(put_of(key));
    puts.back().session = session;
    puts.back().indexes = index;
  }
  write(shard, puts);
  shard.commit_all();
  for (const auto kind : {StateMachine::ScanKind::keys, StateMachine::ScanKind::records}) {
    const auto scan = shard.machine().scan({"__oxia/zz/zz/zz/zz", "", std::nullopt, true}, kind);
    EXPECT_EQ(scan->state(), Scan::State::cold);
  }
  EXPECT_TRUE(shard.list({"__oxia/zz/zz/zz/zz", "", std::nullopt, true}).empty());
  const auto users = shard.machine().scan({"/a", "/b", std::nullopt, true}, StateMachine::ScanKind::keys);
  EXPECT_EQ(users->state(), Scan::State::end);   // looks at no internal record at all
}

TEST(StateMachine, a_write_is_measured_with_all_that_it_carries) {
  TestShard shard(KeyOrder::hierarchical);
  const Bytes identity(limits::key_bytes_max, 'i');
  Put put = put_of("k");
  put.client_identity = put.partition_key = identity;
  const std::vector<Put> many(limits::entry_bytes_max / (2 * identity.size()) + 1, put);
  const Error error = refusal(shard, {many, {}, {}});
  EXPECT_EQ(error, Errc::resource_exhausted);
  EXPECT_NE(error.text.find("more than fit in one log entry: send smaller batches"), std::string::npos) << error.text;
}

TEST(StateMachine, a_scan_tells_of_the_state_at_its_start) {
  TestShard shard(KeyOrder::hierarchical);
  const SecondaryIndex one[] = {{"i", "1"}}, two[] = {{"i", "2"}};
  Put a = put_of("/a", "old"), b = put_of("/b", "old");
  a.indexes = one;
  b.indexes = two;
  write(shard, {a, b});
  shard.commit_all();
  const auto records = shard.machine().scan({}, StateMachine::ScanKind::records);
  const auto by_index = shard.machine().scan({"", "", "i", false}, StateMachine::ScanKind::records);
  a.value = b.value = "new";
  write(shard, {a, b, put_of("/c")});
  const DeleteRange range[] = {{"/a", "/b"}};
  ASSERT_TRUE(std::holds_alternative<Proposal>(shard.write({{}, {}, range})));
  shard.commit_all();
  for (Scan* scan : {records.get(), by_index.get()}) {
    for (const char* key : {"/a", "/b"}) {
      ASSERT_EQ(scan->state(), Scan::State::record);
      EXPECT_EQ(scan->key(), key);
      EXPECT_EQ(scan->record().value, "old");
      scan->next();
    }
    EXPECT_EQ(scan->state(), Scan::State::end);
  }
}

}  // namespace
}  // namespace skerry::store
