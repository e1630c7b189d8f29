// SPDX-License-Identifier: Apache-2.0
#include "client/client.hpp"

#include "client/testing/fixture.hpp"

namespace skerry::client {
namespace {

using testing::Fixture;
namespace pb = io::oxia::proto::v1;

rpc::Status lost() { return {rpc::Code::unavailable, "the server went away", {}}; }

struct OneShard : Fixture, ::testing::Test {
  OneShard() {
    store.add_server("s1");
    store.add_server("s2");
    store.add_even_shards(1, {"s1"});
  }
};

struct ThreeShards : Fixture, ::testing::Test {
  ThreeShards() {
    for (const char* host : {"s1", "s2", "s3"}) store.add_server(host);
    store.add_even_shards(3, {"s1", "s2", "s3"});
  }
};

TEST_F(ThreeShards, puts_and_gets_go_to_the_shard_of_their_key) {
  run([](Fixture& f) -> Task<> {
    for (const char* key : {"foo", "bar", "sky"}) CO_ASSERT(co_await f.client->put(key, std::string("value of ") + key));
    const auto got = co_await f.client->get("bar");
    CO_ASSERT(got);
    EXPECT_EQ(got->key, "bar");
    EXPECT_EQ(got->value, "value of bar");
    EXPECT_EQ(got->version.modifications, 0);
  });
  EXPECT_EQ(store.keys(ShardId{0}), (std::vector<std::string>{"foo"}));
  EXPECT_EQ(store.keys(ShardId{1}), (std::vector<std::string>{"bar"}));
  EXPECT_EQ(store.keys(ShardId{2}), (std::vector<std::string>{"sky"}));
}

TEST_F(ThreeShards, a_partition_key_decides_the_shard) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("bar", "x", {.partition_key = "foo"}));
    EXPECT_EQ((co_await f.client->get("bar")).error(), ClientErrc::key_not_found);
    EXPECT_TRUE(co_await f.client->get("bar", {.partition_key = "foo"}));
    EXPECT_TRUE(co_await f.client->remove("bar", {.partition_key = "foo"}));
  });
  EXPECT_TRUE(store.keys(ShardId{0}).empty());
}

TEST_F(OneShard, refusals_of_single_operations_come_back_as_errors) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1", {.expected_version = must_not_exist}));
    EXPECT_EQ((co_await f.client->put("a", "2", {.expected_version = must_not_exist})).error(),
              ClientErrc::unexpected_version_id);
    EXPECT_EQ((co_await f.client->put("a", "2", {.expected_version = VersionId{7}})).error(), ClientErrc::unexpected_version_id);
    EXPECT_EQ((co_await f.client->remove("a", {.expected_version = VersionId{7}})).error(), ClientErrc::unexpected_version_id);
    EXPECT_EQ((co_await f.client->remove("missing")).error(), ClientErrc::key_not_found);
    EXPECT_EQ((co_await f.client->get("missing")).error(), ClientErrc::key_not_found);
    EXPECT_EQ((co_await f.client->put("\xFF", "x")).error(), Errc::invalid_argument);
  });
}

// --- batching

TEST_F(OneShard, operations_submitted_in_one_turn_share_a_batch) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    for (int i = 0; i < 50; ++i) f.start_put("k" + std::to_string(i), "v");
    co_await f.beside.join();
  });
  EXPECT_EQ(puts.size(), 50U);
  EXPECT_EQ(store.write_batches, (std::vector<std::size_t>{1, 50}));
}

TEST_F(OneShard, an_idle_line_sends_at_once_and_a_full_one_gathers) {
  options.batches_in_flight_max = 1;
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    f.fabric.set_delay(10ms);
    f.start_put("first", "v");
    co_await f.core().sleep_for(2ms);
    for (int i = 0; i < 20; ++i) {
      f.start_put("k" + std::to_string(i), "v");
      co_await f.core().sleep_for(100us);
    }
    co_await f.beside.join();
  });
  EXPECT_EQ(store.write_batches, (std::vector<std::size_t>{1, 1, 20}));
}

TEST_F(OneShard, several_batches_are_in_flight_at_a_time) {
  options.batches_in_flight_max = 4;
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    f.fabric.set_delay(10ms);
    const TimePoint start = f.core().now();
    for (int i = 0; i < 4; ++i) {
      f.start_put("k" + std::to_string(i), "v");
      co_await f.core().sleep_for(1ms);
    }
    co_await f.beside.join();
    EXPECT_LT(f.core().now() - start, Duration(40ms));   // one at a time would take four round trips of 20 ms
  });
  EXPECT_EQ(store.write_batches, (std::vector<std::size_t>{1, 1, 1, 1, 1}));
}

TEST_F(OneShard, batches_stay_within_their_limit) {
  options.batch_operations_max = 8;
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    for (int i = 0; i < 20; ++i) f.start_put("k" + std::to_string(i), "v");
    co_await f.beside.join();
  });
  EXPECT_EQ(store.write_batches, (std::vector<std::size_t>{1, 8, 8, 4}));
}

Task<> get_into(Client& client, std::string key, std::vector<bool>& found) {
  found.push_back((co_await client.get(key)).has_value());
}

TEST_F(OneShard, reads_share_batches_too) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    std::vector<bool> found;
    for (int i = 0; i < 30; ++i) f.beside.spawn(get_into(*f.client, i % 2 == 0 ? "a" : "missing", found));
    co_await f.beside.join();
    EXPECT_EQ(std::ranges::count(found, true), 15);
  });
  EXPECT_EQ(store.read_batches, (std::vector<std::size_t>{30}));
}

TEST_F(OneShard, callers_wait_while_too_much_is_under_way) {
  options.pending_operations_max = 3;
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    for (int i = 0; i < 10; ++i) f.start_put("k" + std::to_string(i), "v");
    co_await f.beside.join();
    EXPECT_TRUE(std::ranges::all_of(f.puts, [](const auto& each) { return each.result.has_value(); }));
  });
  EXPECT_EQ(puts.size(), 10U);
  EXPECT_TRUE(std::ranges::all_of(store.write_batches, [](std::size_t size) { return size <= 3; }));
}

// --- failures

TEST_F(OneShard, a_plain_put_is_sent_again_when_the_answer_was_lost) {
  store.after_write = [count = 0](ShardId, const auto&) mutable { return count++ == 0 ? std::optional(lost()) : std::nullopt; };
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("a", "1");
    CO_ASSERT(put);
    EXPECT_EQ(put->version.modifications, 1);   // the lost attempt had been applied
  });
}

TEST_F(OneShard, a_conditional_put_whose_answer_was_lost_is_not_sent_again) {
  store.after_write = [count = 0](ShardId, const auto&) mutable { return count++ == 0 ? std::optional(lost()) : std::nullopt; };
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("a", "1", {.expected_version = must_not_exist});
    CO_ASSERT(!put);
    EXPECT_EQ(put.error(), ClientErrc::outcome_unknown);
    EXPECT_NE(put.error().text.find("may or may not"), std::string::npos);
    EXPECT_TRUE(co_await f.client->get("a"));
  });
  EXPECT_EQ(store.write_batches.size(), 1U);
}

TEST_F(OneShard, a_conditional_put_is_sent_again_when_the_server_had_refused_it) {
  store.before_write = [count = 0](ShardId, const auto&) mutable {
    return count++ == 0 ? std::optional(rpc::Status::with_info(rpc::Code::unavailable, "", {"oxia.io", "NOT_INITIALIZED", {}}))
                        : std::nullopt;
  };
  run([](Fixture& f) -> Task<> { EXPECT_TRUE(co_await f.client->put("a", "1", {.expected_version = must_not_exist})); });
}

TEST_F(OneShard, a_sequence_put_whose_answer_was_lost_is_not_sent_again) {
  store.after_write = [count = 0](ShardId, const auto&) mutable { return count++ == 0 ? std::optional(lost()) : std::nullopt; };
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("s", "1", {.partition_key = "p", .sequence_deltas = {5}});
    EXPECT_EQ(put.error(), ClientErrc::outcome_unknown);
  });
  EXPECT_EQ(store.keys(ShardId{0}), (std::vector<std::string>{"s-00000000000000000005"}));
}

TEST_F(OneShard, a_delete_that_was_sent_again_has_succeeded_when_the_key_is_gone) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.store.after_write = [count = 0](ShardId, const auto&) mutable {
      return count++ == 0 ? std::optional(lost()) : std::nullopt;
    };
    EXPECT_TRUE(co_await f.client->remove("a"));
    EXPECT_EQ((co_await f.client->remove("a")).error(), ClientErrc::key_not_found);
  });
}

TEST_F(OneShard, what_is_sent_again_keeps_its_order) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    f.fabric.set_delay(5ms);
    f.store.after_write = [count = 0](ShardId, const auto&) mutable {
      return count++ == 0 ? std::optional(lost()) : std::nullopt;
    };
    for (int i = 0; i < 4; ++i) {
      f.start_put("k", std::to_string(i));
      co_await f.core().sleep_for(1ms);
    }
    co_await f.beside.join();
    const auto last = co_await f.client->get("k");
    CO_ASSERT(last);
    EXPECT_EQ(last->value, "3");
  });
  EXPECT_TRUE(std::ranges::all_of(puts, [](const auto& each) { return each.result.has_value(); }));
}

TEST_F(OneShard, one_bad_operation_does_not_fail_the_others_of_its_batch) {
  store.before_write = [](ShardId, const pb::WriteRequest& request) -> std::optional<rpc::Status> {
    const bool bad = std::ranges::any_of(request.puts(), [](const auto& put) { return put.key() == "bad"; });
    if (!bad) return std::nullopt;
    return rpc::Status{rpc::Code::invalid_argument, "bad is not wanted here", {}};
  };
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("warm", "up"));
    for (const char* key : {"a", "bad", "b"}) f.start_put(key, "v", {.expected_version = must_not_exist});
    co_await f.beside.join();
  });
  ASSERT_EQ(puts.size(), 3U);
  for (const Ended& put : puts) {
    EXPECT_EQ(put.result.has_value(), put.key != "bad") << put.key;
    if (!put.result) EXPECT_EQ(put.result.error(), Errc::invalid_argument);
  }
}

TEST_F(OneShard, an_answer_that_does_not_match_its_request_ends_the_operations) {
  store.after_write = [](ShardId, const auto&) -> std::optional<rpc::Status> {
    return rpc::Status{rpc::Code::data_loss, "broken", {}};
  };
  run([](Fixture& f) -> Task<> { EXPECT_EQ((co_await f.client->put("a", "1")).error(), Errc::internal); });
}

TEST_F(OneShard, a_connection_that_breaks_is_made_again) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.fabric.break_connections("client", "s1");
    CO_ASSERT(co_await f.client->put("a", "2"));
    f.fabric.break_connections("client", "s1");
    const auto got = co_await f.client->get("a");
    CO_ASSERT(got);
    EXPECT_EQ(got->value, "2");
  });
}

// --- leaders, elections, splits

TEST_F(OneShard, follows_the_leader_when_it_moves) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.store.lead(ShardId{0}, "s2");
    CO_ASSERT(co_await f.client->put("a", "2", {.expected_version = VersionId{0}}));
    EXPECT_EQ((co_await f.client->get("a"))->value, "2");
  });
}

TEST_F(OneShard, waits_out_an_election) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.store.lead(ShardId{0}, "");
    f.start_put("b", "2", {.expected_version = must_not_exist});
    co_await f.core().sleep_for(3s);
    EXPECT_TRUE(f.puts.empty());
    f.store.lead(ShardId{0}, "s2");
    co_await f.beside.join();
    EXPECT_TRUE(f.puts.at(0).result);
  });
}

TEST_F(OneShard, gives_a_leader_up_that_hangs_once_another_is_named) {
  options.addresses = {"s2:6648"};   // the assignments come from a server that is well
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.fabric.cut("client", "s1");
    f.start_put("b", "2");
    co_await f.core().sleep_for(100ms);
    const TimePoint start = f.core().now();
    f.store.lead(ShardId{0}, "s2");
    co_await f.beside.join();
    EXPECT_TRUE(f.puts.at(0).result);
    EXPECT_LT(f.core().now() - start, Duration(1s));
  });
}

TEST_F(OneShard, asks_another_server_who_leads_when_the_one_that_tells_it_hangs) {
  options.addresses = {"s1:6648", "s2:6648"};
  store.offers_v1 = true;
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.fabric.cut("client", "s1");
    f.start_put("b", "2");
    const TimePoint start = f.core().now();
    co_await f.core().sleep_for(400ms);
    f.store.lead(ShardId{0}, "s2");
    co_await f.beside.join();
    EXPECT_TRUE(f.puts.at(0).result);
    EXPECT_LT(f.core().now() - start, Duration(500ms));
  });
}

TEST_F(OneShard, reads_from_another_leader_when_the_one_that_was_asked_hangs) {
  options.addresses = {"s1:6648", "s2:6648"};
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.fabric.cut("client", "s1");
    f.store.lead(ShardId{0}, "s2");
    const TimePoint start = f.core().now();
    EXPECT_EQ((co_await f.client->get("a"))->value, "1");
    EXPECT_LT(f.core().now() - start, Duration(1s));
  });
}

TEST_F(OneShard, routes_again_after_a_split) {
  run([](Fixture& f) -> Task<> {
    for (const char* key : {"foo", "bar"}) CO_ASSERT(co_await f.client->put(key, "1"));
    f.store.split(ShardId{0}, ShardId{1}, ShardId{2});
    for (const char* key : {"foo", "bar"}) CO_ASSERT(co_await f.client->put(key, "2"));
    EXPECT_EQ((co_await f.client->get("foo"))->value, "2");
    EXPECT_EQ((co_await f.client->get("bar"))->value, "2");
  });
  EXPECT_EQ(store.keys(ShardId{1}), (std::vector<std::string>{"foo"}));
  EXPECT_EQ(store.keys(ShardId{2}), (std::vector<std::string>{"bar"}));
}

TEST_F(OneShard, asks_another_server_when_what_one_tells_does_not_come_true) {
  options.addresses = {"s2:6648", "s1:6648"};
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "1"));
    f.store.leave("s2");
    f.store.split(ShardId{0}, ShardId{1}, ShardId{2});
    CO_ASSERT(co_await f.client->put("foo", "2"));
    f.store.lead(ShardId{1}, "");
    f.store.lead(ShardId{1}, "s2");
    CO_ASSERT(co_await f.client->put("foo", "3"));
  });
}

TEST_F(OneShard, believes_a_server_of_a_cluster_that_was_made_anew) {
  options.addresses = {"s1:6648", "s2:6648"};
  run([](Fixture& f) -> Task<> {
    f.store.leave("s1");
    f.store.split(ShardId{0}, ShardId{1}, ShardId{2});
    f.store.leave("s2");
    CO_ASSERT(co_await f.client->put("foo", "1"));
    f.store.merge(ShardId{1}, ShardId{2}, ShardId{0});
    f.store.leave("s1");
    f.store.leave("s2");
    CO_ASSERT(co_await f.client->put("foo", "2"));
  });
}

// --- deadlines and refusals

TEST_F(OneShard, says_that_nothing_was_changed_when_no_server_could_be_reached) {
  options.addresses = {"nowhere:6648"};
  options.request_timeout = 2s;
  run([](Fixture& f) -> Task<> {
    const TimePoint start = f.core().now();
    const auto put = co_await f.client->put("a", "1");
    CO_ASSERT(!put);
    EXPECT_EQ(put.error(), Errc::deadline_exceeded);
    EXPECT_NE(put.error().text.find("nowhere:6648"), std::string::npos) << put.error().text;
    EXPECT_GE(f.core().now() - start, Duration(2s));
    EXPECT_LT(f.core().now() - start, Duration(3s));
    EXPECT_EQ((co_await f.client->get("a")).error(), Errc::deadline_exceeded);
  });
}

TEST_F(OneShard, says_that_the_outcome_is_unknown_when_a_sent_write_was_not_answered_in_time) {
  options.request_timeout = 2s;
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    f.fabric.cut("client", "s1");
    EXPECT_EQ((co_await f.client->put("a", "2")).error(), ClientErrc::outcome_unknown);
    EXPECT_EQ((co_await f.client->get("a")).error(), Errc::deadline_exceeded);
    f.fabric.heal("client", "s1");
  });
}

TEST_F(OneShard, a_namespace_that_is_not_there_is_told_at_once) {
  store.refuse_namespace = true;
  run([](Fixture& f) -> Task<> {
    const TimePoint start = f.core().now();
    EXPECT_EQ((co_await f.client->put("a", "1")).error(), ClientErrc::namespace_not_found);
    EXPECT_EQ((co_await f.client->get("a")).error(), ClientErrc::namespace_not_found);
    EXPECT_LT(f.core().now() - start, Duration(1s));
  });
}

TEST_F(OneShard, sends_the_token_with_every_call) {
  options.auth_token = "secret";
  run([](Fixture& f) -> Task<> { CO_ASSERT(co_await f.client->put("a", "1")); });
  EXPECT_EQ(store.last_authorization, "Bearer secret");
}

TEST_F(OneShard, tries_every_address_that_it_was_given) {
  options.addresses = {"nowhere:6648", "s2:6648"};
  run([](Fixture& f) -> Task<> {
    const TimePoint start = f.core().now();
    CO_ASSERT(co_await f.client->put("a", "1"));
    EXPECT_LT(f.core().now() - start, Duration(3s));
  });
}

}  // namespace
}  // namespace skerry::client
