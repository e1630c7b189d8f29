// SPDX-License-Identifier: Apache-2.0
// Walks, followers and sessions of the client, against a fake store.
#include "client/testing/fixture.hpp"

namespace skerry::client {
namespace {

using testing::collect;
using testing::Fixture;

struct Follow : Fixture, ::testing::Test {
  Follow() {
    for (const char* host : {"s1", "s2", "s3"}) store.add_server(host);
    store.add_even_shards(3, {"s1", "s2", "s3"});
  }
};

Task<> put_all(Fixture& f, std::vector<std::string> keys) {
  for (std::string& key : keys) EXPECT_TRUE(co_await f.client->put(std::move(key), "v"));
}

// --- walks

TEST_F(Follow, lists_merge_all_shards_in_key_order) {
  run([](Fixture& f) -> Task<> {
    co_await put_all(f, {"/z/a", "/a/b/c", "/b", "/a", "c", "/a/x", "a", "b"});
    EXPECT_EQ(co_await collect(f.client->list({})),
              (std::vector<std::string>{"a", "b", "c", "/a", "/b", "/a/x", "/z/a", "/a/b/c"}));
    EXPECT_EQ(co_await collect(f.client->list({"/", "//"})), (std::vector<std::string>{"/a", "/b"}));
    EXPECT_EQ(co_await collect(f.client->list({"x", "y"})), std::vector<std::string>());
  });
}

TEST_F(Follow, scans_bring_whole_records) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("a", "1"));
    CO_ASSERT(co_await f.client->put("a", "2"));
    const auto scan = f.client->scan({});
    const auto record = co_await scan->next();
    CO_ASSERT(record && *record);
    EXPECT_EQ((*record)->key, "a");
    EXPECT_EQ((*record)->value, "2");
    EXPECT_EQ((*record)->version.modifications, 1);
    const auto end = co_await scan->next();
    EXPECT_TRUE(end && !*end);
  });
}

TEST_F(Follow, a_list_goes_on_where_its_connection_broke) {
  run([](Fixture& f) -> Task<> {
    std::vector<std::string> keys;
    for (int i = 10; i < 40; ++i) keys.push_back("k" + std::to_string(i));
    co_await put_all(f, keys);
    const auto scan = f.client->list({});
    std::vector<std::string> seen;
    for (;;) {
      const auto next = co_await scan->next();
      CO_ASSERT(next);
      if (!*next) break;
      seen.push_back((*next)->key);
      if (seen.size() == 5) {
        for (const char* host : {"s1", "s2", "s3"}) f.fabric.break_connections("client", host);
      }
    }
    EXPECT_EQ(seen, keys);
    EXPECT_GT(f.store.scans_opened, 3);
  });
}

TEST_F(Follow, a_partition_key_limits_a_walk_to_its_shard) {
  run([](Fixture& f) -> Task<> {
    co_await put_all(f, {"foo", "bar", "sky"});
    EXPECT_EQ(co_await collect(f.client->list({}, {.partition_key = "foo"})), (std::vector<std::string>{"foo"}));
  });
  EXPECT_EQ(store.scans_opened, 1);
}

TEST_F(Follow, lists_over_an_index_are_in_the_order_of_its_keys) {
  run([](Fixture& f) -> Task<> {
    const std::vector<std::pair<std::string, std::string>> owners{
        {"foo", "zoe"}, {"bar", "anna"}, {"baz", "mia"}, {"qux", "anna"}};
    for (const auto& [key, owner] : owners) CO_ASSERT(co_await f.client->put(key, "v", {.indexes = {{"by-owner", owner}}}));
    EXPECT_EQ(co_await collect(f.client->list({}, {.index = "by-owner"})),
              (std::vector<std::string>{"bar", "qux", "baz", "foo"}));
    EXPECT_EQ(co_await collect(f.client->list({"b", "n"}, {.index = "by-owner"})), (std::vector<std::string>{"baz"}));
  });
}

TEST_F(Follow, comparisons_find_the_nearest_key_of_all_shards) {
  run([](Fixture& f) -> Task<> {
    co_await put_all(f, {"a", "c", "e", "g", "/z/a", "/a/b/c"});
    const auto nearest = [](Fixture& fixture, std::string key, Comparison comparison) -> Task<std::string> {
      const auto got = co_await fixture.client->get(std::move(key), {.comparison = comparison});
      co_return got ? got->key : got.error().message();
    };
    EXPECT_EQ(co_await nearest(f, "d", Comparison::floor), "c");
    EXPECT_EQ(co_await nearest(f, "d", Comparison::ceiling), "e");
    EXPECT_EQ(co_await nearest(f, "c", Comparison::floor), "c");
    EXPECT_EQ(co_await nearest(f, "c", Comparison::lower), "a");
    EXPECT_EQ(co_await nearest(f, "g", Comparison::higher), "/z/a");
    EXPECT_EQ(co_await nearest(f, "a", Comparison::lower), "key not found");
  });
}

TEST_F(Follow, a_range_deletion_reaches_every_shard) {
  run([](Fixture& f) -> Task<> {
    co_await put_all(f, {"a", "b", "c", "d", "e", "f"});
    CO_ASSERT(co_await f.client->remove_range({"b", "e"}));
    EXPECT_EQ(co_await collect(f.client->list({})), (std::vector<std::string>{"a", "e", "f"}));
  });
}

// --- changes

Task<> note_changes(ChangeFollower& follower, std::vector<std::string>& seen) {
  for (;;) {
    const auto change = co_await follower.next();
    if (!change) co_return seen.push_back(change.error().message());
    seen.push_back(change->key);
  }
}

std::vector<std::string> numbered(const std::string& prefix, int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(100 + i));
  return keys;
}

TEST_F(Follow, changes_of_all_shards_are_seen_once_however_often_connections_break) {
  run([](Fixture& f) -> Task<> {
    co_await put_all(f, {"before"});
    const auto follower = co_await f.client->follow_changes();
    CO_ASSERT(follower);
    std::vector<std::string> seen;
    f.beside.spawn(note_changes(**follower, seen));
    std::vector<std::string> all;
    for (int round = 0; round < 5; ++round) {
      const auto keys = numbered("r" + std::to_string(round) + "-", 20);
      all.insert(all.end(), keys.begin(), keys.end());
      co_await put_all(f, keys);
      for (const char* host : {"s1", "s2", "s3"}) f.fabric.break_connections("client", host);
    }
    co_await f.core().sleep_for(5s);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, all);
    EXPECT_GE(f.store.follows_opened, 6);
    co_await f.beside.cancel_and_join();
  });
}

TEST_F(Follow, changes_continue_after_the_positions_of_an_earlier_follower) {
  run([](Fixture& f) -> Task<> {
    Positions positions;
    {
      const auto follower = co_await f.client->follow_changes();
      CO_ASSERT(follower);
      co_await put_all(f, {"foo", "bar", "baz"});
      for (int i = 0; i < 3; ++i) CO_ASSERT(co_await (*follower)->next());
      positions = (*follower)->positions();
    }
    co_await put_all(f, {"foo2", "bar2", "baz2"});
    const auto follower = co_await f.client->follow_changes({.after = positions});
    CO_ASSERT(follower);
    std::vector<std::string> seen;
    for (int i = 0; i < 3; ++i) {
      const auto change = co_await (*follower)->next();
      CO_ASSERT(change);
      seen.push_back(change->key);
    }
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (std::vector<std::string>{"bar2", "baz2", "foo2"}));
    EXPECT_FALSE((*follower)->try_next());
  });
}

TEST_F(Follow, a_position_in_a_shard_that_does_not_exist_is_refused) {
  run([](Fixture& f) -> Task<> {
    const auto follower = co_await f.client->follow_changes({.after = {{ShardId{99}, Offset{0}}}});
    CO_ASSERT(!follower);
    EXPECT_EQ(follower.error(), Errc::invalid_argument);
    EXPECT_NE(follower.error().text.find("no shard 99"), std::string::npos) << follower.error().text;
  });
}

TEST_F(Follow, changes_go_on_across_a_split) {
  run([](Fixture& f) -> Task<> {
    const auto follower = co_await f.client->follow_changes();
    CO_ASSERT(follower);
    std::vector<std::string> seen;
    f.beside.spawn(note_changes(**follower, seen));
    co_await put_all(f, {"foo"});
    co_await f.core().sleep_for(1s);
    f.store.split(ShardId{0}, ShardId{7}, ShardId{8});
    co_await put_all(f, {"foo"});
    co_await f.core().sleep_for(5s);
    EXPECT_EQ(seen, (std::vector<std::string>{"foo", "foo"}));
    co_await f.beside.cancel_and_join();
  });
}

TEST_F(Follow, a_server_that_has_left_takes_nothing_back) {
  options.addresses = {"s3:6648", "s1:6648"};
  run([](Fixture& f) -> Task<> {
    const auto follower = co_await f.client->follow_changes();
    CO_ASSERT(follower);
    std::vector<std::string> seen;
    f.beside.spawn(note_changes(**follower, seen));
    f.store.leave("s3");
    f.store.split(ShardId{0}, ShardId{7}, ShardId{8});
    co_await put_all(f, {"foo", "bar"});
    f.fabric.break_connections("client", "s1");   // back to s3
    co_await f.core().sleep_for(1s);
    co_await put_all(f, {"foo", "bar"});
    co_await f.core().sleep_for(5s);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (std::vector<std::string>{"bar", "bar", "foo", "foo"}));
    co_await f.beside.cancel_and_join();
  });
}

TEST_F(Follow, every_change_is_seen_once_while_shards_are_split_and_split_again) {
  run([](Fixture& f) -> Task<> {
    const auto follower = co_await f.client->follow_changes();
    CO_ASSERT(follower);
    std::vector<std::string> seen;
    f.beside.spawn(note_changes(**follower, seen));
    std::vector<std::string> all;
    ShardId next{7};
    for (const ShardId parent : {ShardId{0}, ShardId{7}, ShardId{8}, ShardId{2}}) {
      const auto keys = numbered("p" + std::to_string(parent.value()) + "-", 20);
      all.insert(all.end(), keys.begin(), keys.end());
      for (const std::string& key : keys) f.start_put(key, "v");
      co_await f.core().sleep_for(std::chrono::milliseconds(parent.value()));
      f.store.split(parent, next, next.next());
      next = next.next().next();
    }
    co_await f.core().sleep_for(10s);
    std::ranges::sort(seen);
    std::ranges::sort(all);
    EXPECT_EQ(seen, all);
    for (const auto& each : f.puts) EXPECT_TRUE(each.result);
    co_await f.beside.cancel_and_join();
  });
}

TEST_F(Follow, the_position_in_a_shard_that_was_split_is_one_in_what_it_became) {
  run([](Fixture& f) -> Task<> {
    Positions positions;
    {
      const auto follower = co_await f.client->follow_changes();
      CO_ASSERT(follower);
      co_await put_all(f, {"foo", "bar", "baz"});
      for (int i = 0; i < 3; ++i) CO_ASSERT(co_await (*follower)->next());
      positions = (*follower)->positions();
    }
    co_await put_all(f, {"foo2", "bar2", "baz2"});
    f.store.split(ShardId{1}, ShardId{7}, ShardId{8});
    co_await f.core().sleep_for(1s);
    const auto follower = co_await f.client->follow_changes({.after = positions});
    CO_ASSERT(follower);
    std::vector<std::string> seen;
    for (int i = 0; i < 3; ++i) {
      const auto change = co_await (*follower)->next();
      CO_ASSERT(change);
      seen.push_back(change->key);
    }
    std::ranges::sort(seen);
    EXPECT_EQ(seen, (std::vector<std::string>{"bar2", "baz2", "foo2"}));
  });
}

TEST_F(Follow, a_walk_goes_on_when_its_shards_are_split_and_merged) {
  run([](Fixture& f) -> Task<> {
    const auto keys = numbered("k", 60);
    co_await put_all(f, keys);
    const auto list = f.client->list({});
    const auto scan = f.client->scan({});
    std::vector<std::string> listed, scanned;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i == 5) f.store.split(ShardId{1}, ShardId{7}, ShardId{8});
      if (i == 20) f.store.merge(ShardId{0}, ShardId{7}, ShardId{9});
      if (i == 5 || i == 20) co_await f.core().sleep_for(1s);
      const auto key = co_await list->next();
      const auto record = co_await scan->next();
      CO_ASSERT(key && *key && record && *record);
      listed.push_back((*key)->key);
      scanned.push_back((*record)->key);
    }
    EXPECT_EQ(listed, keys);
    EXPECT_EQ(scanned, keys);
    EXPECT_FALSE(*co_await list->next());
    EXPECT_FALSE(*co_await scan->next());
  });
}

TEST_F(Follow, a_page_goes_on_after_its_shard_was_split) {
  run([](Fixture& f) -> Task<> {
    const auto keys = numbered("k", 30);
    co_await put_all(f, keys);
    std::vector<std::string> seen;
    std::string token;
    ShardId parent{0}, child{10};
    do {
      const auto page = f.client->list({}, {.limit = 7, .page_token = token});
      for (;;) {
        const auto next = co_await page->next();
        CO_ASSERT(next);
        if (!*next) break;
        seen.push_back((*next)->key);
      }
      token = page->page_token();
      if (parent < ShardId{3}) f.store.split(parent, child, child.next());
      parent = parent.next();
      child = child.next().next();
      co_await f.core().sleep_for(1s);
    } while (!token.empty());
    EXPECT_EQ(seen, keys);
  });
}

TEST_F(Follow, following_fails_in_time_when_a_shard_cannot_be_reached) {
  options.request_timeout = 2s;
  run([](Fixture& f) -> Task<> {
    co_await put_all(f, {"foo"});
    f.fabric.cut("client", "s2");
    const auto follower = co_await f.client->follow_changes();
    CO_ASSERT(!follower);
    EXPECT_EQ(follower.error(), Errc::deadline_exceeded);
    f.fabric.heal("client", "s2");
  });
}

TEST_F(Follow, a_sequence_is_followed_over_new_connections) {
  run([](Fixture& f) -> Task<> {
    const PutOptions next{.partition_key = "foo", .sequence_deltas = {1}};
    CO_ASSERT(co_await f.client->put("s", "v", next));
    const auto follower = f.client->follow_sequence("s", "foo");
    EXPECT_EQ(*co_await follower->next(), "s-00000000000000000001");
    f.fabric.break_connections("client", "s1");
    CO_ASSERT(co_await f.client->put("s", "v", next));
    EXPECT_EQ(*co_await follower->next(), "s-00000000000000000002");
  });
}

// --- sessions

constexpr Ephemeral ephemeral = Ephemeral::yes;

TEST_F(Follow, one_session_a_shard_serves_all_ephemeral_records_and_is_kept_alive) {
  run([](Fixture& f) -> Task<> {
    const auto put = co_await f.client->put("foo", "v", {.ephemeral = ephemeral});
    CO_ASSERT(put);
    EXPECT_TRUE(put->version.session);
    EXPECT_EQ(put->version.client_identity, f.client->options().identity);
    for (int i = 0; i < 10; ++i) f.start_put("k" + std::to_string(i), "v", {.ephemeral = ephemeral});
    co_await f.beside.join();
    EXPECT_EQ(f.store.sessions_created, 3);
    co_await f.core().sleep_for(20s);
    EXPECT_GE(f.store.heartbeats, 27);   // three sessions, every 2 s
    EXPECT_TRUE(f.sessions_lost.empty());
  });
  EXPECT_EQ(store.sessions_closed, 3);
  EXPECT_TRUE(store.keys(ShardId{0}).empty());
}

TEST_F(Follow, a_session_goes_on_in_all_that_its_shard_becomes) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "v", {.ephemeral = Ephemeral::yes}));
    EXPECT_EQ(f.store.sessions_created, 1);
    ShardId of{0};
    while (f.store.shard(of).sessions.empty()) of = of.next();
    f.store.split(of, ShardId{7}, ShardId{8});
    co_await f.core().sleep_for(1s);
    const int before = f.store.heartbeats;
    co_await f.core().sleep_for(30s);
    EXPECT_GE(f.store.heartbeats, before + 2 * 8);
    CO_ASSERT(co_await f.client->put("foo", "w", {.ephemeral = Ephemeral::yes}));
    EXPECT_EQ(f.store.sessions_created, 1);
    EXPECT_TRUE(f.sessions_lost.empty());
  });
  EXPECT_EQ(store.sessions_closed, 2);   // in each of them
}

// Else the two could not have been merged. What it had there is gone, though its other half lasts.
TEST_F(Follow, a_session_that_ended_in_one_of_two_shards_before_they_were_merged_is_lost) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "v", {.ephemeral = Ephemeral::yes}));
    ShardId of{0};
    while (f.store.shard(of).sessions.empty()) of = of.next();
    f.store.split(of, ShardId{7}, ShardId{8});
    co_await f.core().sleep_for(1s);
    f.store.expire_sessions(ShardId{7});
    f.store.merge(ShardId{7}, ShardId{8}, ShardId{9});
    co_await f.core().sleep_for(1s);
    EXPECT_EQ(f.sessions_lost, std::vector<ShardId>{ShardId{9}});
    CO_ASSERT(co_await f.client->put("foo", "w", {.ephemeral = Ephemeral::yes}));
    EXPECT_EQ(f.store.sessions_created, 2);
    co_await f.core().sleep_for(30s);
    EXPECT_EQ(f.sessions_lost.size(), 1U);
  });
}

TEST_F(Follow, a_session_of_a_shard_that_was_split_and_merged_back_unseen_is_lost) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "v", {.ephemeral = Ephemeral::yes}));
    ShardId of{0};
    while (f.store.shard(of).sessions.empty()) of = of.next();
    f.store.split(of, ShardId{7}, ShardId{8});
    f.store.expire_sessions(ShardId{7});
    f.store.merge(ShardId{7}, ShardId{8}, ShardId{9});
    co_await f.core().sleep_for(1s);
    EXPECT_EQ(f.sessions_lost, std::vector<ShardId>{ShardId{9}});
    CO_ASSERT(co_await f.client->put("foo", "w", {.ephemeral = Ephemeral::yes}));
    EXPECT_EQ(f.store.sessions_created, 2);
    co_await f.core().sleep_for(30s);
    EXPECT_EQ(f.sessions_lost.size(), 1U);
  });
}

TEST_F(Follow, no_session_is_made_for_lasting_records) {
  run([](Fixture& f) -> Task<> { co_await put_all(f, {"foo"}); });
  EXPECT_EQ(store.sessions_created, 0);
}

TEST_F(Follow, a_lost_session_is_told_and_the_next_put_begins_another) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "v", {.ephemeral = ephemeral}));
    f.store.expire_sessions(ShardId{0});
    co_await f.core().sleep_for(3s);   // a heartbeat
    EXPECT_EQ(f.sessions_lost, (std::vector<ShardId>{ShardId{0}}));
    EXPECT_TRUE(co_await f.client->put("foo", "v", {.ephemeral = ephemeral}));
    EXPECT_EQ(f.store.sessions_created, 2);
  });
}

TEST_F(Follow, a_put_that_meets_the_loss_first_fails_and_writes_nothing) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "v", {.ephemeral = ephemeral}));
    f.store.expire_sessions(ShardId{0});
    EXPECT_EQ((co_await f.client->put("foo", "v", {.ephemeral = ephemeral})).error(), ClientErrc::session_expired);
    EXPECT_TRUE(f.store.keys(ShardId{0}).empty());
    EXPECT_EQ(f.sessions_lost.size(), 1U);
    EXPECT_TRUE(co_await f.client->put("foo", "v", {.ephemeral = ephemeral}));
  });
}

TEST_F(Follow, sessions_outlive_connections_and_leaders) {
  run([](Fixture& f) -> Task<> {
    CO_ASSERT(co_await f.client->put("foo", "v", {.ephemeral = ephemeral}));
    f.fabric.break_connections("client", "s1");
    f.store.lead(ShardId{0}, "s2");
    const int before = f.store.heartbeats;
    co_await f.core().sleep_for(10s);
    EXPECT_GE(f.store.heartbeats - before, 4);
    EXPECT_TRUE(f.sessions_lost.empty());
  });
}

}  // namespace
}  // namespace skerry::client
