// SPDX-License-Identifier: Apache-2.0
#include "replica/shard.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.hpp"
#include "replica/testing/shard_world.hpp"
#include "store/testing/cold_engine.hpp"

namespace skerry::replica {
namespace {

using store::Status;

struct ShardTest : testing::Test {
  ShardWorld world;
  std::vector<std::unique_ptr<PutRequest>> requests;

  void SetUp() override { ASSERT_TRUE(opened(world.open())); }

  static testing::AssertionResult opened(const Result<>& result) {
    if (result) return testing::AssertionSuccess();
    return testing::AssertionFailure() << result.error().message();
  }
  store::WriteRequest put_request(Bytes key, Bytes value, std::optional<VersionId> expected = {}) {
    auto& request = *requests.emplace_back(std::make_unique<PutRequest>(std::move(key), std::move(value)));
    request.put.expected_version = expected;
    return request.request();
  }
  Result<store::PutOutcome> put(Bytes key, Bytes value, std::optional<VersionId> expected = {}) {
    auto outcome = world.run(world.shard().write(put_request(std::move(key), std::move(value), expected)));
    if (!outcome) return fail(outcome.error());
    return outcome->puts.at(0);
  }
  store::GetOutcome get(Bytes key) { return *world.run(world.shard().get({.key = key, .index = {}})); }
};

TEST_F(ShardTest, what_is_written_is_read) {
  const auto outcome = put("a", "one");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->status, Status::ok);
  EXPECT_EQ(outcome->version.version_id, VersionId(0));
  EXPECT_EQ(get("a").value, "one");
  EXPECT_EQ(get("b").status, Status::key_not_found);
}

TEST_F(ShardTest, a_write_is_answered_only_when_it_is_durable_and_read_only_then) {
  world.state.faults.sync_takes = 10ms;
  Ticket ticket = world.shard().propose(put_request("a", "one"));
  world.settle();
  EXPECT_FALSE(ticket.ready());
  EXPECT_EQ(get("a").status, Status::key_not_found);
  world.pass(10ms);
  ASSERT_TRUE(ticket.ready());
  EXPECT_EQ(get("a").value, "one");
}

TEST_F(ShardTest, a_traced_write_tells_when_it_reached_each_stage) {
  world.state.faults.sync_takes = 10ms;
  const TimePoint begun = world.clock.now();
  WriteStages stages;
  const std::string value = "one";
  EXPECT_TRUE(world.run(world.shard().write(put_request("a", value), std::nullopt, &stages)));
  EXPECT_EQ(stages.proposed, begun);
  EXPECT_EQ(stages.logged, begun);
  EXPECT_EQ(stages.committed, begun + 10ms);
  EXPECT_EQ(stages.applied, begun + 10ms);
}

TEST_F(ShardTest, later_writes_see_earlier_ones_in_flight) {
  std::vector<Ticket> tickets;
  for (int i = 0; i < 100; ++i) {
    tickets.push_back(world.shard().propose(put_request("counter", std::to_string(i), VersionId(i - 1))));
  }
  world.settle();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(tickets[static_cast<std::size_t>(i)].ready());
    const auto outcome = tickets[static_cast<std::size_t>(i)].take();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->puts[0].status, Status::ok);
    EXPECT_EQ(outcome->puts[0].version.version_id, VersionId(i));
  }
  EXPECT_EQ(get("counter").value, "99");
}

TEST_F(ShardTest, a_refusal_waits_for_the_write_in_flight_that_caused_it) {
  world.state.faults.sync_takes = 10ms;
  Ticket first = world.shard().propose(put_request("a", "one"));
  Ticket refused = world.shard().propose(put_request("a", "two", store::must_not_exist));
  world.settle();
  EXPECT_FALSE(refused.ready());
  world.pass(10ms);
  ASSERT_TRUE(first.ready());
  ASSERT_TRUE(refused.ready());
  EXPECT_EQ(refused.take()->puts[0].status, Status::unexpected_version_id);
  EXPECT_EQ(refused.offset(), no_offset);
  EXPECT_EQ(get("a").value, "one");
}

TEST_F(ShardTest, a_refusal_with_nothing_in_flight_is_answered_at_once) {
  ASSERT_TRUE(put("a", "one"));
  Ticket refused = world.shard().propose(put_request("a", "two", store::must_not_exist));
  EXPECT_TRUE(refused.ready());
}

TEST_F(ShardTest, acknowledged_writes_survive_a_crash_and_each_start_has_a_higher_term) {
  const Term first_term = world.shard().term();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(put("k" + std::to_string(i), "v" + std::to_string(i)));
  for (int crashes = 1; crashes <= 3; ++crashes) {
    world.crash();
    ASSERT_TRUE(opened(world.open()));
    EXPECT_EQ(world.shard().term(), Term(first_term.value() + crashes));
    for (int i = 0; i < 50; ++i) EXPECT_EQ(get("k" + std::to_string(i)).value, "v" + std::to_string(i));
  }
  EXPECT_EQ(put("next", "v")->version.version_id, VersionId(50));
}

TEST_F(ShardTest, recovery_replays_what_the_engine_lacks_and_says_how_much) {
  ASSERT_TRUE(put("a", "one"));
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  ASSERT_TRUE(put("b", "two"));
  ASSERT_TRUE(put("c", "three"));
  const Offset checkpointed(world.shard().commit().value() - 2);
  world.crash();
  ASSERT_TRUE(opened(world.open()));
  const RecoveryReport& report = world.shard().recovery();
  EXPECT_EQ(report.durable, checkpointed);
  EXPECT_EQ(report.replayed_entries, 2);
  EXPECT_GT(report.replayed_bytes, 0);
  EXPECT_EQ(report.barrier, Offset(checkpointed.value() + 3));
  EXPECT_EQ(get("a").value + get("b").value + get("c").value, "onetwothree");
}

TEST_F(ShardTest, a_graceful_stop_leaves_nothing_to_replay) {
  ASSERT_TRUE(put("a", "one"));
  ASSERT_TRUE(opened(world.restart()));
  EXPECT_EQ(world.shard().recovery().replayed_entries, 0);
  EXPECT_EQ(get("a").value, "one");
}

TEST_F(ShardTest, stop_answers_what_is_in_flight_and_refuses_what_comes_after) {
  world.state.faults.sync_takes = 10ms;
  Ticket last = world.shard().propose(put_request("a", "one"));
  world.tasks().spawn(world.shard().stop());
  world.settle();
  Ticket late = world.shard().propose(put_request("b", "two"));
  ASSERT_TRUE(late.ready());
  EXPECT_EQ(late.take().error(), make_error_code(ShardError::not_serving));
  world.pass(10ms);
  ASSERT_TRUE(last.ready());
  EXPECT_TRUE(last.take());
}

TEST_F(ShardTest, stop_ends_even_if_the_log_hangs_and_says_that_the_outcome_is_unknown) {
  world.state.faults.sync_takes = 1h;
  Ticket hanging = world.shard().propose(put_request("a", "one"));
  world.tasks().spawn(world.shard().stop());
  world.pass(stop_patience - 1ms);
  EXPECT_FALSE(hanging.ready());
  world.pass(1ms);
  ASSERT_TRUE(hanging.ready());
  EXPECT_EQ(hanging.take().error(), make_error_code(ShardError::outcome_unknown));
}

TEST_F(ShardTest, nothing_is_acknowledged_that_a_broken_engine_may_not_have) {
  ASSERT_TRUE(world.stop());
  Result<> health;
  world.options().shard.engine_health = [&health] { return health; };
  world.kill();
  ASSERT_TRUE(opened(world.open()));
  ASSERT_TRUE(put("a", "one"));
  const auto follower = *world.shard().follow(world.shard().commit());
  std::optional<Result<std::shared_ptr<const store::NotificationBatch>>> change;
  world.tasks().spawn([](NotificationFollower& from, auto& into) -> Task<> { into = co_await from.next(); }(*follower, change));
  health = fail(Errc::io_failed, "the engine is broken");
  const auto unknown = put("b", "two");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error(), make_error_code(ShardError::outcome_unknown));
  EXPECT_NE(unknown.error().text.find("the engine is broken"), std::string::npos) << unknown.error().text;
  EXPECT_EQ(put("c", "three").error(), make_error_code(ShardError::log_stopped));
  world.settle();
  EXPECT_FALSE(change);
  EXPECT_EQ(get("a").value, "one");
}

TEST_F(ShardTest, a_term_floor_from_outside_is_kept) {
  ASSERT_TRUE(world.stop());
  world.options().shard.term_above = Term(41);
  world.kill();
  ASSERT_TRUE(opened(world.open()));
  EXPECT_EQ(world.shard().term(), Term(42));
}

TEST_F(ShardTest, a_malformed_request_is_refused_before_it_is_logged) {
  const Offset before = world.shard().commit();
  const auto bad_key = put("\xff\xfe", "x");
  ASSERT_FALSE(bad_key);
  EXPECT_EQ(bad_key.error(), make_error_code(Errc::invalid_argument));
  const auto too_large = put("a", Bytes(limits::value_bytes_max + 1, 'x'));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(world.shard().commit(), before);
  EXPECT_TRUE(put("a", "x"));
}

TEST_F(ShardTest, a_failed_sync_leaves_the_outcome_unknown_and_later_writes_not_applied) {
  ASSERT_TRUE(put("a", "one"));
  world.state.faults.fail_sync = 1;
  Ticket logged = world.shard().propose(put_request("b", "two"));
  world.settle();
  ASSERT_TRUE(logged.ready());
  EXPECT_EQ(logged.take().error(), make_error_code(ShardError::outcome_unknown));
  const auto later = put("c", "three");
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error(), make_error_code(ShardError::log_stopped));
  EXPECT_NE(later.error().text.find("not applied"), std::string::npos) << later.error().text;
  EXPECT_EQ(get("a").value, "one");
  EXPECT_EQ(get("b").status, Status::key_not_found);
}

TEST_F(ShardTest, writes_that_find_the_disk_full_are_not_applied_and_go_on_when_there_is_room) {
  world.state.faults.capacity = world.state.bytes_used();
  const Bytes value(100 << 10, 'v');
  int written = 0;
  Result<store::PutOutcome> last = put("k0", value);
  while (last && written < 100) last = put("k" + std::to_string(++written), value);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error(), make_error_code(Errc::resource_exhausted));
  EXPECT_NE(last.error().text.find("not applied"), std::string::npos) << last.error().text;
  for (int i = 0; i < written; ++i) EXPECT_EQ(get("k" + std::to_string(i)).value.size(), value.size());
  EXPECT_EQ(get("k" + std::to_string(written)).status, Status::key_not_found);

  world.state.faults.capacity.reset();
  world.pass(2s);
  const auto again = put("k" + std::to_string(written), value);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->version.version_id, VersionId(written));   // the refused one has taken none
  world.crash();
  ASSERT_TRUE(opened(world.open()));
  EXPECT_EQ(get("k" + std::to_string(written)).value.size(), value.size());
}

TEST_F(ShardTest, an_entry_that_cannot_be_logged_leaves_those_before_and_after_it_whole) {
  // Larger than a segment of this log, smaller than any limit of a request: only the log can refuse it.
  world.state.faults.sync_takes = 10ms;
  Ticket before = world.shard().propose(put_request("a", "one"));
  Ticket refused = world.shard().propose(put_request("a", Bytes(2 << 20, 'x'), VersionId(0)));
  Ticket after = world.shard().propose(put_request("a", "two", VersionId(0)));
  world.pass(50ms);
  ASSERT_TRUE(before.ready() && refused.ready() && after.ready());
  EXPECT_TRUE(before.take());
  EXPECT_EQ(refused.take().error(), make_error_code(Errc::resource_exhausted));
  EXPECT_EQ(after.take()->puts[0].version.version_id, VersionId(1));
  EXPECT_EQ(get("a").value, "two");
}

TEST_F(ShardTest, a_wall_clock_that_jumps_stops_writes_until_it_is_right_again) {
  ASSERT_TRUE(put("a", "one"));
  world.clock.jump_wall(2h);
  const auto refused = put("b", "two");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(ShardError::clock_jumped));
  EXPECT_EQ(get("a").value, "one");
  world.clock.jump_wall(-2h);
  EXPECT_TRUE(put("b", "two"));
}

TEST_F(ShardTest, stamps_rise_over_a_restart_with_an_earlier_wall_clock) {
  const auto first = put("a", "one");
  ASSERT_TRUE(world.stop());
  world.clock.jump_wall(-24h);
  world.kill();
  ASSERT_TRUE(opened(world.open()));
  const auto second = put("a", "two");
  ASSERT_TRUE(second);
  EXPECT_GE(second->version.modified_millis, first->version.modified_millis);
}

TEST_F(ShardTest, a_full_pipeline_refuses_and_lets_in_again_when_answers_come) {
  world.state.faults.sync_takes = 10ms;
  std::vector<Ticket> tickets;
  while (world.shard().has_room()) tickets.push_back(world.shard().propose(put_request("a", Bytes(256 << 10, 'x'))));
  EXPECT_LE(tickets.size(), limits::shard_bytes_in_flight_max / (256 << 10));
  Ticket refused = world.shard().propose(put_request("b", "x"));
  ASSERT_TRUE(refused.ready());
  EXPECT_EQ(refused.take().error(), make_error_code(Errc::resource_exhausted));
  const auto waited = put("b", "x");
  ASSERT_TRUE(waited) << waited.error().message();
  for (Ticket& ticket : tickets) EXPECT_TRUE(ticket.ready());
  EXPECT_EQ(world.shard().figures().bytes_in_flight, 0);
}

TEST_F(ShardTest, a_repeated_request_id_learns_its_first_outcome_even_after_a_crash) {
  const store::RequestId id{"client", 1};
  const auto first = world.run(world.shard().write(put_request("a", "one", store::must_not_exist), id));
  ASSERT_TRUE(first);
  world.crash();
  ASSERT_TRUE(opened(world.open()));
  const auto again = world.run(world.shard().write(put_request("a", "one", store::must_not_exist), id));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->puts[0].status, Status::ok);
  EXPECT_EQ(again->puts[0].version.version_id, first->puts[0].version.version_id);
}

TEST_F(ShardTest, an_engine_without_its_log_is_refused_and_adopted_when_told) {
  ASSERT_TRUE(opened(world.restart()));
  ASSERT_TRUE(put("a", "one"));
  const Term lost_term = world.shard().term();
  ASSERT_TRUE(world.stop());
  for (const auto& path : world.state.paths()) {
    if (path.starts_with("/node-0/log")) world.state.erase(path);
  }
  world.kill();
  const auto refused = world.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(Errc::corrupt));
  world.kill();
  world.options().shard.log_behind = LogBehind::adopt;
  ASSERT_TRUE(opened(world.open()));
  EXPECT_EQ(world.shard().term(), lost_term.next());
  EXPECT_EQ(get("a").value, "one");
  EXPECT_EQ(put("b", "two")->version.version_id, VersionId(1));
  world.crash();
  world.options().shard.log_behind = LogBehind::refuse;
  ASSERT_TRUE(opened(world.open()));
  EXPECT_EQ(get("b").value, "two");
}

TEST_F(ShardTest, a_log_without_its_engine_is_refused_once_it_was_trimmed) {
  ASSERT_TRUE(put("a", "one"));
  ASSERT_TRUE(world.run(world.group().checkpoint()));
  ASSERT_TRUE(world.log().trim(ShardId(0), world.shard().commit()));
  ASSERT_TRUE(world.stop());
  for (const auto& path : world.state.paths()) {
    if (path.starts_with("/node-0/engine")) world.state.erase(path);
  }
  world.kill();
  const auto refused = world.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), make_error_code(Errc::corrupt));
  EXPECT_NE(refused.error().text.find("engine"), std::string::npos);
}

// A shard whose engine forgets: some requests wait for cold keys, and nothing overtakes them.
struct ColdShardTest : ShardTest {
  void SetUp() override {
    ASSERT_TRUE(world.start_node());
    engine.emplace(**world.engine().shard(ShardId(0)), 7, 0.5);
    auto opened = world.run(Shard::open(world.core(), world.log(), *engine, ShardId(0), {}));
    ASSERT_TRUE(opened) << opened.error().message();
    cold = *std::move(opened);
  }
  void TearDown() override { world.run(stopped(*cold)); }
  static Task<bool> stopped(Shard& shard) {
    co_await shard.stop();
    co_return true;
  }
  std::optional<store::testing::ColdEngine> engine;
  std::unique_ptr<Shard> cold;
};

TEST_F(ColdShardTest, requests_that_wait_for_cold_keys_keep_their_order) {
  std::vector<Ticket> tickets;
  for (int i = 0; i < 500; ++i) {
    const Bytes key = "k" + std::to_string(i % 10);
    tickets.push_back(cold->propose(put_request(key, std::to_string(i), VersionId(i < 10 ? -1 : i - 10))));
    if (i % 50 == 0) world.settle();
  }
  world.settle();
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    ASSERT_TRUE(tickets[i].ready()) << i;
    const auto outcome = tickets[i].take();
    ASSERT_TRUE(outcome) << outcome.error().message();
    EXPECT_EQ(outcome->puts[0].status, Status::ok) << i;
    EXPECT_EQ(outcome->puts[0].version.version_id, VersionId(static_cast<std::int64_t>(i)));
  }
  for (int i = 0; i < 10; ++i) {
    const Bytes key = "k" + std::to_string(i);
    EXPECT_EQ(world.run(cold->get({.key = key, .index = {}}))->value, std::to_string(490 + i));
  }
}

TEST_F(ColdShardTest, many_gets_are_warmed_at_once) {
  for (int i = 0; i < 100; ++i) cold->propose(put_request("k" + std::to_string(i), std::to_string(i)));
  world.settle();
  std::vector<Bytes> keys;
  for (int i = 0; i < 100; ++i) keys.push_back("k" + std::to_string(i));
  std::vector<store::Get> gets;
  for (const Bytes& key : keys) gets.push_back({.key = key, .index = {}});
  int tries = 0;
  for (bool all = false; !all; ++tries) {
    ASSERT_TRUE(world.run(cold->warm(gets)));
    all = std::ranges::all_of(gets, [&](const store::Get& get) { return cold->try_get(get).has_value(); });
  }
  EXPECT_EQ(tries, 1);
}

TEST_F(ColdShardTest, writes_stop_while_requests_wait_for_cold_keys) {
  std::vector<Ticket> tickets;
  for (int i = 0; i < 20; ++i) tickets.push_back(cold->propose(put_request("k" + std::to_string(i), "x")));
  ASSERT_GT(cold->figures().queued, 0);
  cold->stop_writes({make_error_code(Errc::io_failed), "the engine is broken"});
  for (Ticket& ticket : tickets) {
    ASSERT_TRUE(ticket.ready());
    const auto outcome = ticket.take();
    ASSERT_FALSE(outcome);
    const bool logged = ticket.offset() != no_offset;
    EXPECT_EQ(outcome.error(), make_error_code(logged ? ShardError::outcome_unknown : ShardError::log_stopped));
    EXPECT_NE(outcome.error().text.find("the engine is broken"), std::string::npos);
  }
  world.settle();
}

}  // namespace
}  // namespace skerry::replica
