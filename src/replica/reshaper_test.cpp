// SPDX-License-Identifier: Apache-2.0
#include "replica/reshaper.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/hash.hpp"
#include "replica/testing/shard_world.hpp"
#include "store/reshape_error.hpp"

namespace skerry::replica {
namespace {

constexpr ShardId parent{1}, left{2}, right{3}, merged{4};
constexpr std::uint32_t middle = 0x8000'0000;
constexpr store::HashRange left_hashes{0, middle - 1}, right_hashes{middle, UINT32_MAX};
using Records = std::map<Bytes, Bytes>;

// A node whose shards are told by the test, their coordinator, to lead; and what makes shards of others on it.
struct ReshaperTest : testing::Test {
  ShardWorld world;
  NodeLeases leases{Incarnation(1), TimePoint()};
  std::unique_ptr<Reshaper> reshaper;
  std::optional<ShardId> taken;   // by somebody who opens or deletes it
  std::map<ShardId, Term> terms;
  std::map<ShardId, Records> written;

  void SetUp() override {
    world.options().shard.seat = Seat{NodeId(1), &leases, nullptr};
    start();
  }
  void TearDown() override { reshaper.reset(); }
  void start() {
    ASSERT_TRUE(world.start_node());
    reshaper = std::make_unique<Reshaper>(
        Reshaper::Parts{world.core(), world.log(), world.group(), [this](ShardId id) { return taken == id; }});
  }
  void crash() {
    world.core().drop_frames();
    reshaper.reset();
    world.crash();
    start();
  }
  testing::AssertionResult open(ShardId shard) {
    const auto opened = world.open(shard);
    return opened ? testing::AssertionSuccess() : testing::AssertionFailure() << opened.error().message();
  }
  Result<NewTermAnswer> fence(ShardId shard) {
    Term& term = terms[shard];
    term = std::max(term, world.shard(shard).term()).next();
    return world.run(world.shard(shard).new_term({term, MembershipVersion(1)}));
  }
  testing::AssertionResult lead(ShardId shard) {
    if (auto fenced = fence(shard); !fenced) return testing::AssertionFailure() << fenced.error().message();
    Membership alone = sole_voter(NodeId(1));
    alone.version = MembershipVersion(1);
    if (auto told = world.shard(shard).become_leader({.term = terms[shard], .membership = alone}); !told)
      return testing::AssertionFailure() << told.error().message();
    for (int turns = 0; turns < 10'000 && !world.shard(shard).serves(); ++turns) world.step();
    return world.shard(shard).serves() ? testing::AssertionSuccess() : testing::AssertionFailure() << "does not serve";
  }
  Result<store::WriteOutcome> put(ShardId shard, Bytes key, Bytes value) {
    const PutRequest request(key, value);
    auto outcome = world.run(world.shard(shard).write(request.request()));
    if (outcome) written[shard][key] = value;
    return outcome;
  }
  void fill(ShardId shard, int first, int count) {
    for (int i = first; i < first + count; ++i) ASSERT_TRUE(put(shard, "key" + std::to_string(i), "v" + std::to_string(i)));
  }
  Records records_of(ShardId shard) {
    Records found;
    auto scan = world.shard(shard).scan({}, store::StateMachine::ScanKind::records);
    SKERRY_ASSERT(scan.has_value());
    for (; (*scan)->state() == store::Scan::State::record; (*scan)->next())
      found[Bytes((*scan)->key())] = (*scan)->record().value;
    return found;
  }
  Records wanted(const Records& all, const store::HashRange& hashes) {
    Records ours;
    for (const auto& [key, value] : all)
      if (hashes.contains(key_hash(key))) ours[key] = value;
    return ours;
  }
  ReshapePlan split() {
    const ReplicaStatus status = world.shard(parent).status();
    return {.parents = {{parent, status.term, status.head}},
            .children = {{left, left_hashes}, {right, right_hashes}},
            .term = status.term.next()};
  }
  ReshapePlan merge() {
    const ReplicaStatus a = world.shard(left).status(), b = world.shard(right).status();
    return {.parents = {{left, a.term, a.head}, {right, b.term, b.head}},
            .children = {{merged, {}}},
            .term = std::max(a.term, b.term).next()};
  }
  void expect_split() {
    for (const auto& [shard, hashes] : {std::pair(left, left_hashes), std::pair(right, right_hashes)}) {
      ASSERT_TRUE(open(shard));
      ASSERT_TRUE(lead(shard));
      EXPECT_EQ(records_of(shard), wanted(written[parent], hashes));
    }
  }
  // What clients are told of changes after this offset, up to that one.
  std::vector<Bytes> changes(ShardId shard, Offset after, Offset last) {
    std::vector<Bytes> keys;
    NotificationWishes wishes;
    wishes.gaps = true;
    auto follower = world.shard(shard).follow(after, std::move(wishes));
    SKERRY_ASSERT(follower.has_value());
    for (Offset seen = after; seen < last;) {
      const auto batch = world.run((*follower)->next());
      SKERRY_ASSERT(batch.has_value());
      if ((*batch)->missing_from) keys.emplace_back("gap");
      for (const auto& each : (*batch)->notifications) keys.push_back(each.key);
      seen = (*batch)->offset;
    }
    return keys;
  }
};

TEST_F(ReshaperTest, a_shard_that_was_prepared_is_split_with_what_was_written_since) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 200);
  ASSERT_TRUE(world.run(reshaper->prepare(split())));
  fill(parent, 100, 200);
  ASSERT_TRUE(world.run(world.shard(parent).seal(terms[parent])));
  ASSERT_TRUE(fence(parent));
  const ReshapePlan plan = split();
  const auto made = world.run(reshaper->make(plan));
  ASSERT_TRUE(made) << made.error().message();
  ASSERT_TRUE(open(left));
  const ReplicaStatus status = world.shard(left).status();
  EXPECT_EQ(status.role, ReplicaCore::Role::fenced);
  EXPECT_EQ(status.term, plan.term);
  EXPECT_EQ(status.head, plan.parents[0].head);
  EXPECT_EQ(status.applied, plan.parents[0].head.offset);
  crash();
  expect_split();
}

TEST_F(ReshaperTest, a_shard_that_was_not_prepared_is_split_too) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 100);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
}

TEST_F(ReshaperTest, asking_twice_changes_nothing_and_neither_does_what_comes_late) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 100);
  const ReshapePlan early = split();
  ASSERT_TRUE(world.run(reshaper->prepare(early)));
  ASSERT_TRUE(world.run(reshaper->prepare(early)));
  ASSERT_TRUE(fence(parent));
  const ReshapePlan plan = split();
  ASSERT_TRUE(world.run(reshaper->make(plan)));
  ASSERT_TRUE(world.run(reshaper->make(plan)));
  expect_split();
  ASSERT_TRUE(put(left, "more", "of it"));
  ASSERT_TRUE(world.run(reshaper->make(plan)));
  ASSERT_TRUE(world.run(reshaper->prepare(early)));
  EXPECT_EQ(records_of(left).at("more"), "of it");
}

TEST_F(ReshaperTest, a_parent_that_is_not_fenced_at_its_head_is_not_copied) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 10);
  EXPECT_EQ(world.run(reshaper->make(split())).error(), store::ReshapeError::behind);
  ASSERT_TRUE(fence(parent));
  ReshapePlan ahead = split();
  ahead.parents[0].head.offset = ahead.parents[0].head.offset.next();
  EXPECT_EQ(world.run(reshaper->make(ahead)).error(), store::ReshapeError::behind);
  ReshapePlan old = split();
  ASSERT_TRUE(fence(parent));
  EXPECT_EQ(world.run(reshaper->make(old)).error(), store::ReshapeError::outdated);
  EXPECT_EQ(world.run(reshaper->prepare(old)).error(), store::ReshapeError::outdated);
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
}

TEST_F(ReshaperTest, what_is_abandoned_can_be_deleted_and_made_anew) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 50);
  ASSERT_TRUE(world.run(reshaper->prepare(split())));
  const auto give_up = [](Reshaper& all, ShardGroup& group, ShardId child) -> Task<Result<>> {
    co_await all.abandon(child);
    co_return co_await group.forget(child, no_deadline);
  };
  ASSERT_TRUE(world.run(give_up(*reshaper, world.group(), left)));
  ASSERT_TRUE(world.run(give_up(*reshaper, world.group(), right)));
  EXPECT_EQ(world.log().shard(left).term, no_term);
  fill(parent, 40, 50);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
}

TEST_F(ReshaperTest, a_copy_that_is_given_up_while_it_begins_anew_can_be_opened) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 50);
  const auto prepare = [](Reshaper& all, ReshapePlan plan) -> Task<> { static_cast<void>(co_await all.prepare(plan)); };
  const auto give_up = [](Reshaper& all) -> Task<Result<>> {
    co_await all.abandon(left);
    co_return Result<>{};
  };
  const auto remove = [](ShardGroup& group, ShardId id) -> Task<Result<>> {
    co_await group.retire(id);
    co_return co_await group.forget(id, no_deadline);
  };
  for (int steps = 0; steps < 40; ++steps) {
    SCOPED_TRACE(steps);
    fill(parent, steps, 5);
    ASSERT_TRUE(world.run(world.group().checkpoint()));
    ASSERT_TRUE(world.log().trim(parent, world.shard(parent).commit()));   // so that the copy's log has no beginning
    ASSERT_TRUE(world.run(reshaper->prepare(split())));
    ASSERT_TRUE(world.run(give_up(*reshaper)));
    world.tasks().spawn(prepare(*reshaper, split()));
    for (int step = 0; step < steps; ++step) world.step();
    ASSERT_TRUE(world.run(give_up(*reshaper)));
    for (const ShardId child : {left, right}) {
      ASSERT_TRUE(open(child));
      ASSERT_TRUE(world.run(remove(world.group(), child)));
    }
  }
}

TEST_F(ReshaperTest, nothing_is_made_of_a_child_that_was_given_up_while_it_was_waited_for) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 30);
  ASSERT_TRUE(fence(parent));
  std::optional<Result<>> prepared, made;
  const auto keep = [](Task<Result<>> task, std::optional<Result<>>& into) -> Task<> { into.emplace(co_await std::move(task)); };
  world.tasks().spawn(keep(reshaper->prepare(split()), prepared));
  world.core().run_turn();
  const auto give_up = [](ReshaperTest& test) -> Task<> {
    co_await test.reshaper->abandon(right);
    test.taken = right;   // as who opens it
  };
  world.tasks().spawn(give_up(*this));
  world.tasks().spawn(keep(reshaper->make(split()), made));
  while (!made && world.step()) {}
  ASSERT_TRUE(made);
  EXPECT_EQ(made->error(), make_error_code(Errc::aborted));
  taken.reset();
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
}

TEST_F(ReshaperTest, changes_are_followed_across_the_split_without_gap_or_double) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 30);
  const Offset seen = world.shard(parent).commit();
  fill(parent, 30, 30);
  ASSERT_TRUE(world.run(reshaper->prepare(split())));
  fill(parent, 60, 30);
  const Offset head = world.shard(parent).commit();
  const std::vector<Bytes> all = changes(parent, seen, head);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
  std::multiset<Bytes> told;
  for (const ShardId child : {left, right}) {
    Bytes last;   // of the child
    for (const auto& [key, value] : records_of(child)) last = key;
    ASSERT_TRUE(put(child, last, "the end"));
    auto own = changes(child, seen, world.shard(child).commit());
    ASSERT_FALSE(own.empty());
    EXPECT_EQ(own.back(), last);
    own.pop_back();
    told.insert(own.begin(), own.end());
  }
  EXPECT_EQ(told, std::multiset<Bytes>(all.begin(), all.end()));
}

TEST_F(ReshaperTest, two_shards_become_one) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 100);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
  ASSERT_TRUE(put(left, "only here", "1"));
  ASSERT_TRUE(world.run(reshaper->prepare(merge())));
  ASSERT_TRUE(fence(left));
  ASSERT_TRUE(fence(right));
  const ReshapePlan plan = merge();
  ASSERT_TRUE(world.run(reshaper->make(plan)));
  ASSERT_TRUE(world.run(reshaper->make(plan)));
  crash();
  ASSERT_TRUE(open(merged));
  EXPECT_EQ(world.shard(merged).status().head, plan.head());
  EXPECT_EQ(world.shard(merged).status().term, plan.term);
  ASSERT_TRUE(lead(merged));
  Records all = written[parent];
  all["only here"] = "1";
  EXPECT_EQ(records_of(merged), all);
}

TEST_F(ReshaperTest, a_merge_that_was_prepared_has_what_was_written_and_deleted_since) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 60);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
  ASSERT_TRUE(world.run(reshaper->prepare(merge())));
  Records all;
  for (const ShardId child : {left, right}) {
    Records ours = records_of(child);
    ASSERT_GT(ours.size(), 10U);
    const Bytes changed = ours.begin()->first, deleted = std::next(ours.begin())->first;
    ASSERT_TRUE(put(child, changed, "anew"));
    const store::Delete erase{.key = deleted, .expected_version = std::nullopt};
    ASSERT_TRUE(world.run(world.shard(child).write(store::WriteRequest{{}, {&erase, 1}, {}})));
    ours[changed] = "anew";
    ours.erase(deleted);
    all.merge(ours);
  }
  ASSERT_TRUE(world.run(world.shard(left).create_session(10s, "client")));
  ASSERT_TRUE(fence(left));
  ASSERT_TRUE(fence(right));
  ASSERT_TRUE(world.run(reshaper->make(merge())));
  ASSERT_TRUE(open(merged));
  ASSERT_TRUE(lead(merged));
  EXPECT_EQ(records_of(merged), all);
  EXPECT_EQ(world.shard(merged).figures().sessions, 1U);
}

TEST_F(ReshaperTest, a_merge_under_which_a_range_is_deleted_is_copied_anew) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  fill(parent, 0, 60);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
  for (const bool again : {true, false}) {
    ASSERT_TRUE(world.run(reshaper->prepare(merge())));
    const Records ours = records_of(left);
    const Bytes first = ours.begin()->first, second = std::next(ours.begin())->first;
    const store::DeleteRange range{.start = first, .end = second};
    ASSERT_TRUE(world.run(world.shard(left).write(store::WriteRequest{{}, {}, {&range, 1}})));
    if (again) ASSERT_TRUE(world.run(reshaper->prepare(merge())));
  }
  Records all = records_of(left);
  all.merge(records_of(right));
  ASSERT_TRUE(fence(left));
  ASSERT_TRUE(fence(right));
  ASSERT_TRUE(world.run(reshaper->make(merge())));
  ASSERT_TRUE(open(merged));
  ASSERT_TRUE(lead(merged));
  EXPECT_EQ(records_of(merged), all);
}

TEST_F(ReshaperTest, sessions_of_one_origin_keep_shards_apart) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  const auto session = world.run(world.shard(parent).create_session(10s, "client"));
  ASSERT_TRUE(session);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
  EXPECT_TRUE(world.shard(left).keep_alive(*session));
  EXPECT_TRUE(world.shard(right).keep_alive(*session));
  EXPECT_EQ(world.run(reshaper->prepare(merge())).error(), store::ReshapeError::sessions_collide);
  ASSERT_TRUE(fence(left));
  ASSERT_TRUE(fence(right));
  EXPECT_EQ(world.run(reshaper->make(merge())).error(), store::ReshapeError::sessions_collide);
}

TEST_F(ReshaperTest, a_sealed_leader_takes_nothing_more_and_goes_on_to_read) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  const PutRequest last("last", "taken");
  const Ticket ticket = world.shard(parent).propose(last.request());
  const auto sealed = world.run(world.shard(parent).seal(terms[parent]));
  ASSERT_TRUE(sealed);
  EXPECT_TRUE(ticket.ready());
  EXPECT_EQ(sealed->offset, ticket.offset());
  EXPECT_TRUE(world.shard(parent).status().sealed);
  EXPECT_EQ(put(parent, "more", "refused").error(), ShardError::not_leader);
  EXPECT_EQ(world.run(world.shard(parent).create_session(5s, "client")).error(), ShardError::not_leader);
  EXPECT_EQ(world.run(world.shard(parent).get({.key = "last", .index = {}}))->value, "taken");
  EXPECT_EQ(world.run(world.shard(parent).seal(terms[parent]))->offset, sealed->offset);
  EXPECT_EQ(world.shard(parent).unseal(terms[parent].next()).error(), ShardError::not_leader);
  ASSERT_TRUE(world.shard(parent).unseal(terms[parent]));
  EXPECT_FALSE(world.shard(parent).status().sealed);
  EXPECT_TRUE(put(parent, "more", "taken"));
}

TEST_F(ReshaperTest, a_seal_ends_with_the_term_and_after_a_while) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  ASSERT_TRUE(world.run(world.shard(parent).seal(terms[parent])));
  world.pass(seal_patience + 1s);
  EXPECT_TRUE(put(parent, "nobody", "came"));
  ASSERT_TRUE(world.run(world.shard(parent).seal(terms[parent])));
  EXPECT_EQ(world.run(world.shard(parent).seal(terms[parent].next())).error(), ShardError::not_leader);
  ASSERT_TRUE(lead(parent));
  EXPECT_TRUE(put(parent, "another", "term"));
}

// What is there after the crash is nothing of a child, or a beginning of it; and it can be made whole.
TEST_F(ReshaperTest, a_crash_at_any_moment_leaves_a_child_that_can_be_made_whole) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  ASSERT_TRUE(world.run(world.shard(parent).create_session(10s, "client")));
  fill(parent, 0, 40);
  int nothing = 0, beginnings = 0, whole = 0;
  std::uint64_t needed = 32;   // steps, about
  for (int round = 0; round < 150; ++round) {
    SCOPED_TRACE(round);
    ASSERT_TRUE(world.run(world.group().checkpoint()));
    const ReshapePlan early = split();
    const bool prepares = world.random().chance(0.7);
    bool done = false;
    const auto all = [](ReshaperTest& test, ReshapePlan plan, bool prepared, bool& finished) -> Task<> {
      if (prepared) static_cast<void>(co_await test.reshaper->prepare(plan));
      static_cast<void>(co_await test.world.shard(parent).new_term({plan.parents[0].term.next(), MembershipVersion(1)}));
      plan.parents[0].term = plan.parents[0].term.next();
      plan.term = plan.term.next();
      finished = (co_await test.reshaper->make(plan)).has_value();
    };
    world.tasks().spawn(all(*this, early, prepares, done));
    for (std::uint64_t left_steps = world.random().below(needed); left_steps > 0 && !done; --left_steps) world.step();
    whole += done ? 1 : 0;
    needed = done ? needed - needed / 8 : needed + 2;
    crash();
    ASSERT_TRUE(open(parent));
    const Offset head = world.shard(parent).status().head.offset;
    for (const auto& [child, hashes] : {std::pair(left, left_hashes), std::pair(right, right_hashes)}) {
      ASSERT_TRUE(open(child));
      const ReplicaStatus status = world.shard(child).status();
      ASSERT_LE(status.head.offset, head);
      if (done) ASSERT_EQ(status.head.offset, head);
      (status.head.offset == no_offset ? nothing : beginnings) += done ? 0 : 1;
      if (status.head.offset == head) {
        ASSERT_TRUE(lead(child));
        ASSERT_EQ(records_of(child), wanted(written[parent], hashes));
        ASSERT_EQ(world.shard(child).figures().sessions, 1U);
      }
      const auto deleted = [](ShardGroup& group, ShardId id) -> Task<Result<>> {
        co_await group.retire(id);
        co_return co_await group.forget(id, no_deadline);
      };
      ASSERT_TRUE(world.run(deleted(world.group(), child)));
    }
    ASSERT_TRUE(lead(parent));
    fill(parent, round % 60, 5);
  }
  EXPECT_GT(nothing, 5);
  EXPECT_GT(beginnings, 5);
  EXPECT_GT(whole, 5);
  ASSERT_TRUE(fence(parent));
  ASSERT_TRUE(world.run(reshaper->make(split())));
  expect_split();
}

TEST_F(ReshaperTest, plans_that_make_no_sense_are_refused) {
  ASSERT_TRUE(open(parent));
  ASSERT_TRUE(lead(parent));
  ASSERT_TRUE(fence(parent));
  const auto refused = [&](auto change) {
    ReshapePlan plan = split();
    change(plan);
    return world.run(reshaper->make(plan)).error() == make_error_code(Errc::invalid_argument);
  };
  EXPECT_TRUE(refused([](ReshapePlan& plan) { plan.children.pop_back(); }));
  EXPECT_TRUE(refused([](ReshapePlan& plan) { plan.parents.clear(); }));
  EXPECT_TRUE(refused([](ReshapePlan& plan) { plan.children[1].hashes.min = plan.children[0].hashes.max; }));
  EXPECT_TRUE(refused([](ReshapePlan& plan) { plan.children[0].shard = parent; }));
  EXPECT_TRUE(refused([](ReshapePlan& plan) { plan.term = plan.parents[0].head.term; }));
}

}  // namespace
}  // namespace skerry::replica
