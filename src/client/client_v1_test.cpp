// SPDX-License-Identifier: Apache-2.0
// What the client does with skerry.store.v1, and where a server has none of it. How the real server answers:
// tests/test_store_v1.py.
#include "client/change_queue.hpp"
#include "client/check.hpp"
#include "client/testing/fixture.hpp"

namespace skerry::client {
namespace {

using testing::FakeStore;
using testing::Fixture;

// Breaks the connection after the first write was applied.
FakeStore::Hook lose_the_first_answer() {
  return [count = 0](ShardId, const auto&) mutable -> std::optional<rpc::Status> {
    if (count++ > 0) return std::nullopt;
    return rpc::Status{rpc::Code::unavailable, "the server went away", {}};
  };
}

struct StoreV1 : Fixture, ::testing::Test {
  StoreV1() {
    store.add_server("s1");
    store.add_even_shards(1, {"s1"});
    store.offers_v1 = true;
  }
};

struct OxiaOnly : Fixture, ::testing::Test {
  OxiaOnly() {
    for (const char* host : {"s1", "s2", "s3"}) store.add_server(host);
    store.add_even_shards(3, {"s1", "s2", "s3"});
  }
};

TEST_F(StoreV1, a_conditional_put_whose_answer_was_lost_learns_its_first_outcome) {
  store.after_write = lose_the_first_answer();
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("a", "1", {.expected_version = must_not_exist});
    CO_ASSERT(put);
    EXPECT_EQ(put->version.modifications, 0);
    EXPECT_EQ((co_await f.client->put("a", "2", {.expected_version = must_not_exist})).error(),
              ClientErrc::unexpected_version_id);
  });
  EXPECT_EQ(store.write_batches.size(), 2U);   // applied once each
}

TEST_F(StoreV1, a_sequence_put_whose_answer_was_lost_makes_one_key) {
  store.after_write = lose_the_first_answer();
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("s", "1", {.partition_key = "p", .sequence_deltas = {5}});
    CO_ASSERT(put);
    EXPECT_EQ(put->key, "s-00000000000000000005");
  });
  EXPECT_EQ(store.keys(ShardId{0}), (std::vector<std::string>{"s-00000000000000000005"}));
}

TEST_F(StoreV1, a_delete_of_nothing_whose_answer_was_lost_still_says_so) {
  store.after_write = lose_the_first_answer();
  run([](Fixture& f) -> Task<> { EXPECT_EQ((co_await f.client->remove("a")).error(), ClientErrc::key_not_found); });
}

// The parent does what it is asked and is gone before it answers.
FakeStore::Hook split_before_the_answer(FakeStore& store) {
  return [&store](ShardId id, const auto&) -> std::optional<rpc::Status> {
    if (id != ShardId{0}) return std::nullopt;
    store.split(id, ShardId{1}, ShardId{2});
    return rpc::Status{rpc::Code::unavailable, "the server went away", {}};
  };
}

TEST_F(StoreV1, a_child_of_a_split_shard_tells_what_became_of_an_unanswered_write) {
  store.after_write = split_before_the_answer(store);
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("a", "1", {.expected_version = must_not_exist});
    CO_ASSERT(put);
    EXPECT_EQ(put->version.modifications, 0);
    EXPECT_EQ((co_await f.client->get("a"))->version.modifications, 0);
    CO_ASSERT(co_await f.client->put("a", "2", {.expected_version = put->version.version_id}));
  });
  EXPECT_EQ(store.write_batches.size(), 2U);
}

TEST_F(StoreV1, of_a_batch_that_belongs_to_both_children_what_may_not_be_repeated_is_unknown) {
  store.after_write = split_before_the_answer(store);
  run([](Fixture& f) -> Task<> {
    f.start_put("foo", "1", {.expected_version = must_not_exist});
    f.start_put("bar", "1");
    co_await f.beside.join();
    CO_ASSERT(f.puts.size() == 2U);
    for (const auto& each : f.puts) {
      if (each.key == "bar") {
        EXPECT_TRUE(each.result);
      } else {
        EXPECT_EQ(each.result.error(), ClientErrc::outcome_unknown);
      }
    }
    EXPECT_EQ((co_await f.client->get("foo"))->version.modifications, 0);
  });
}

// This store knows no batches, which it says to whoever reaches it.
TEST_F(StoreV1, a_batch_of_ephemeral_records_goes_to_what_its_shard_was_split_into) {
  store.before_session = [this](ShardId id) {
    if (id == ShardId{0}) store.split(id, ShardId{1}, ShardId{2});
  };
  run([](Fixture& f) -> Task<> {
    const auto committed = co_await f.client->commit(AtomicBatch().put("a", "1", {.ephemeral = Ephemeral::yes}));
    EXPECT_EQ(committed.error(), Errc::unsupported);
  });
}

TEST_F(StoreV1, writes_of_a_shard_that_was_split_and_merged_are_done_once_each) {
  run([](Fixture& f) -> Task<> {
    for (int i = 0; i < 20; ++i) f.start_put("k" + std::to_string(i), "1", {.expected_version = must_not_exist});
    f.store.split(ShardId{0}, ShardId{1}, ShardId{2});
    co_await f.core().sleep_for(1ms);
    for (int i = 20; i < 40; ++i) f.start_put("k" + std::to_string(i), "1", {.expected_version = must_not_exist});
    f.store.merge(ShardId{1}, ShardId{2}, ShardId{3});
    co_await f.beside.join();
    CO_ASSERT(f.puts.size() == 40U);
    for (const auto& each : f.puts) EXPECT_TRUE(each.result) << each.key;
  });
  EXPECT_EQ(store.shard(ShardId{3}).records.size(), 40U);
}

TEST_F(StoreV1, what_is_repeated_goes_before_what_came_later) {
  store.after_write = lose_the_first_answer();
  run([](Fixture& f) -> Task<> {
    for (const char* value : {"1", "2", "3", "4", "5", "6"}) {
      f.start_put("a", value);
      co_await f.core().yield();
      co_await f.core().yield();
    }
    co_await f.beside.join();
    EXPECT_EQ((co_await f.client->get("a"))->value, "6");
  });
  EXPECT_EQ(store.shard(ShardId{0}).records.begin()->second.version.modifications_count(), 5);   // each put once
}

TEST_F(StoreV1, can_be_left_unused) {
  options.use_store_v1 = false;
  store.after_write = lose_the_first_answer();
  run([](Fixture& f) -> Task<> {
    EXPECT_EQ((co_await f.client->put("a", "1", {.expected_version = must_not_exist})).error(), ClientErrc::outcome_unknown);
  });
}

TEST_F(OxiaOnly, what_it_has_no_words_for_is_refused_and_nothing_is_left_out) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    EXPECT_EQ((co_await f.client->put("a", "2", {.time_to_live = std::chrono::milliseconds(5000)})).error(), Errc::unsupported);
    const auto batch = co_await f.client->commit(AtomicBatch().if_exists("a").put("a", "3"));
    EXPECT_EQ(batch.error(), Errc::unsupported);
    EXPECT_NE(batch.error().text.find("s1:6648 offers no atomic batches"), std::string::npos) << batch.error().text;
    EXPECT_EQ((co_await f.client->list({}, {.direction = Direction::backward})->next()).error(), Errc::unsupported);
    EXPECT_EQ((co_await f.client->get("a"))->value, "1");
  });
}

TEST_F(OxiaOnly, pages_over_primary_keys_are_merged_over_all_shards) {
  run([](Fixture& f) -> Task<> {
    std::vector<std::string> keys;
    for (int i = 10; i < 31; ++i) keys.push_back("k" + std::to_string(i));
    for (const std::string& key : keys) CO_ASSERT(co_await f.client->put(key, "v"));
    std::vector<std::string> seen;
    std::string token;
    std::size_t pages = 0;
    do {
      const auto scan = f.client->list({}, {.limit = 7, .page_token = token});
      for (;;) {
        const auto next = co_await scan->next();
        CO_ASSERT(next);
        if (!*next) break;
        seen.push_back((*next)->key);
      }
      token = scan->page_token();
      ++pages;
    } while (!token.empty());
    EXPECT_EQ(seen, keys);
    EXPECT_EQ(pages, 3U);
    const auto other = f.client->list({"k", ""}, {.page_token = "AAAA"});
    EXPECT_EQ((co_await other->next()).error(), Errc::invalid_argument);
  });
}

TEST_F(OxiaOnly, followers_of_a_prefix_hear_of_nothing_else) {
  run([](Fixture& f) -> Task<> {
    auto follower = co_await f.client->follow_changes({.prefixes = {"mine/"}});
    CO_ASSERT(follower);
    CO_ASSERT(co_await f.client->put("theirs/1", "v"));
    CO_ASSERT(co_await f.client->put("mine/1", "v"));
    const auto change = co_await (*follower)->next();
    CO_ASSERT(change);
    EXPECT_EQ(change->key, "mine/1");
  });
}

TEST(ChangeQueueGap, is_a_change_of_its_own) {
  net::testing::ManualWorld world;
  ChangeQueue queue(world.core, 1 << 20);
  store::v1::NotificationBatch batch;
  batch.set_offset(17);
  batch.mutable_gap()->set_first_offset(3);
  queue.push(ShardId{2}, batch);
  const auto change = queue.pop();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->kind, ChangeKind::gap);
  EXPECT_EQ(change->missing_from, Offset{3});
  EXPECT_EQ(change->offset, Offset{17});
  EXPECT_EQ(queue.positions().at(ShardId{2}), Offset{17});
}

TEST(CheckBatch, refuses_what_no_server_would_take) {
  EXPECT_EQ(check_batch({}).error(), Errc::invalid_argument);
  EXPECT_TRUE(check_batch(AtomicBatch().if_absent("/a")));
  EXPECT_FALSE(check_batch(AtomicBatch().put("/a", "", {.partition_key = "p"})));
  EXPECT_FALSE(check_batch(AtomicBatch().put("/a", "", {.partition_key = {}, .sequence_deltas = {1}})));
  EXPECT_FALSE(check_batch(AtomicBatch().remove("\xFF")));
  EXPECT_FALSE(check_batch(AtomicBatch().remove_range({"a", "\xFF"})));
}

TEST(CheckRange, refuses_walks_that_cannot_be) {
  EXPECT_TRUE(check_range({"a", "b"}, {.limit = 1}));
  EXPECT_FALSE(check_range({}, {.limit = 0}));
  EXPECT_FALSE(check_range({}, {.internal_keys = InternalKeys::shown, .direction = Direction::backward}));
  EXPECT_FALSE(check_range({}, {.internal_keys = InternalKeys::shown, .page_token = "x"}));
}

TEST(CheckPut, refuses_times_to_live_out_of_bounds) {
  using std::chrono::milliseconds;
  EXPECT_TRUE(check_put("k", "", {.time_to_live = milliseconds(100)}));
  EXPECT_FALSE(check_put("k", "", {.time_to_live = milliseconds(99)}));
  EXPECT_FALSE(check_put("k", "", {.time_to_live = milliseconds(1000), .expiry = Expiry::keep}));
}

}   // namespace
}   // namespace skerry::client
