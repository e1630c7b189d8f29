// SPDX-License-Identifier: Apache-2.0
// Shards that become others: what is copied, and what the entries after the copy are in the children's logs.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/hash.hpp"
#include "store/entry_split.hpp"
#include "store/notification.hpp"
#include "store/reshape_error.hpp"
#include "store/state_fork.hpp"
#include "store/state_machine.hpp"
#include "store/testing/engine_subject.hpp"

namespace skerry::store {
namespace {

using Records = std::map<Bytes, Bytes>;
using State = std::map<Space, Records>;
enum class Kind { memory, tables };

constexpr ShardId parent_id{1}, left_id{2}, right_id{3}, merged_id{4};
constexpr std::uint32_t middle = 0x8000'0000;
constexpr HashRange left{0, middle - 1}, right{middle, UINT32_MAX};
constexpr KeyOrder order = KeyOrder::hierarchical;

std::unique_ptr<testing::EngineSubject> subject_of(Kind kind) {
  if (kind == Kind::memory) return std::make_unique<testing::MemorySubject>();
  return std::make_unique<testing::TableSubject>(256 << 10, testing::DatabaseSubject::Threads::none);
}

// A put with what a test cares for.
struct Wish {
  BytesView key, value;
  std::optional<VersionId> expected_version = {};
  std::optional<SessionId> session = {};
  std::optional<BytesView> partition_key = {};
  std::span<const std::uint64_t> sequence_deltas = {};
  std::span<const SecondaryIndex> indexes = {};
  std::optional<std::chrono::milliseconds> time_to_live = {};

  Put put() const {
    Put put{key, value, expected_version, session, {}, partition_key, sequence_deltas, indexes, {}, {}};
    put.time_to_live = time_to_live;
    return put;
  }
};

Bytes key_in(const HashRange& range, int number = 0) {
  for (int i = 0;; ++i) {
    Bytes key = "key-" + std::to_string(i);
    if (range.contains(key_hash(key)) && number-- == 0) return key;
  }
}

// One shard of a node and its log.
class Subject {
 public:
  Subject(testing::EngineSubject& node, ShardId id) : node_(node), id_(id), machine_(id, order, node.shard(id)) {
    SKERRY_ASSERT(node_.run(machine_.open()).has_value());
  }
  ShardEngine& engine() { return node_.shard(id_); }
  StateMachine& machine() { return machine_; }
  const std::map<Offset, Bytes>& log() const { return log_; }
  Offset head() const { return machine_.applied(); }

  template <class Evaluate>
  Proposal settle(Evaluate evaluate) {
    for (;;) {
      stamp_ = std::max(Stamp(stamp_.value() + 1), Stamp(machine_.last_stamp().value() + 1));
      Evaluation evaluation = evaluate(machine_.applied().next(), stamp_);
      if (auto* needs = std::get_if<Needs>(&evaluation)) {
        SKERRY_ASSERT(node_.run(machine_.load(std::move(*needs))).has_value());
        continue;
      }
      SKERRY_ASSERT(std::holds_alternative<Proposal>(evaluation));
      auto proposal = std::get<Proposal>(std::move(evaluation));
      if (!proposal.entry.empty()) take(proposal.entry);
      return proposal;
    }
  }
  void take(const Bytes& entry) {
    const Offset offset = machine_.applied().next();
    log_[offset] = entry;
    SKERRY_ASSERT(machine_.apply(offset, entry).has_value());
  }
  WriteOutcome write(const WriteRequest& request, std::optional<RequestId> id = std::nullopt) {
    return settle([&](Offset offset, Stamp stamp) { return machine_.evaluate(request, offset, stamp, id); }).outcome;
  }
  PutOutcome put(const Wish& wish, std::optional<RequestId> id = std::nullopt) {
    const Put one = wish.put();
    return write({{&one, 1}, {}, {}}, std::move(id)).puts.at(0);
  }
  Status erase(BytesView key) {
    const Delete one{key, std::nullopt};
    return write({{}, {&one, 1}, {}}).deletes.at(0);
  }
  void begin(Term term) {
    settle([&](Offset offset, Stamp stamp) -> Evaluation { return machine_.evaluate_barrier(offset, stamp, term); });
  }
  SessionId session() {
    const Offset offset = machine_.applied().next();
    settle([&](Offset at, Stamp stamp) -> Evaluation { return machine_.evaluate_create_session(5s, "client", at, stamp); });
    return SessionId(id_.value() << 44 | offset.value());
  }
  void end(SessionId session) {
    settle([&](Offset offset, Stamp stamp) { return machine_.evaluate_end_sessions({&session, 1}, offset, stamp); });
  }
  GetOutcome get(BytesView key, std::optional<BytesView> index = std::nullopt) {
    const Get get{key, Comparison::equal, true, index};
    for (;;) {
      auto answer = machine_.get(get);
      if (auto* found = std::get_if<GetOutcome>(&answer)) return std::move(*found);
      SKERRY_ASSERT(std::holds_alternative<Needs>(answer));
      SKERRY_ASSERT(node_.run(machine_.load(std::get<Needs>(std::move(answer)))).has_value());
    }
  }
  Bytes value(BytesView key) { return get(key).value; }
  State state() {
    State out;
    for (std::uint8_t space = 1; space < space_count; ++space) {
      const auto cursor = engine().cursor(Space{space});
      cursor->seek({});
      for (;; cursor->next()) {
        while (cursor->state() == Cursor::State::cold) SKERRY_ASSERT(node_.run(cursor->load()).has_value());
        if (cursor->state() == Cursor::State::end) break;
        out[Space{space}].emplace(cursor->key(), cursor->value());
      }
    }
    return out;
  }

 private:
  testing::EngineSubject& node_;
  const ShardId id_;
  StateMachine machine_;
  std::map<Offset, Bytes> log_;
  Stamp stamp_{1 << 20};
};

Stamp modified_of(const State& state, BytesView name) {
  const auto records = state.find(Space::records);
  if (records == state.end()) return {};
  const auto found = records->second.find(encode_key(order, name));
  return found == records->second.end() ? Stamp() : decode_record(found->second)->modified;
}

// Without what a range deletion has orphaned.
State tidy(State state) {
  const State all = state;
  std::erase_if(state[Space::indexes], [&](const auto& each) {
    return modified_of(all, decode_index_entry(order, each.first)->primary) != *decode_owner(each.second);
  });
  std::erase_if(state[Space::shadows], [&](const auto& each) {
    return modified_of(all, decode_shadow_key(each.first)->key) != *decode_owner(each.second);
  });
  std::erase_if(state[Space::expiries], [&](const auto& each) {
    return modified_of(all, decode_expiry_key(each.first)->key) != *decode_owner(each.second);
  });
  std::erase_if(state, [](const auto& each) { return each.second.empty(); });
  return state;
}

struct StateForkTest : ::testing::TestWithParam<Kind> {
  void SetUp() override { ASSERT_TRUE(node->start()); }

  Result<> fork(std::vector<ShardId> parents, std::vector<std::pair<ShardId, HashRange>> children, Offset offset) {
    StateFork::Parts parts{.core = node->core(), .order = order, .parents = {}, .children = {}};
    for (const ShardId each : parents) parts.parents.push_back(&node->shard(each));
    for (const auto& [id, hashes] : children) parts.children.push_back({&node->shard(id), hashes});
    {
      StateFork copy(std::move(parts));
      TRYV(node->run(copy.run()));
    }
    for (const auto& [id, hashes] : children) {
      TRYV(node->run(node->shard(id).finish_staging(offset)));
      node->shard(id).take_staged();
    }
    return {};
  }
  Result<> split() { return fork({parent_id}, {{left_id, left}, {right_id, right}}, node->shard(parent_id).applied()); }

  std::unique_ptr<testing::EngineSubject> node = subject_of(GetParam());
};

TEST_P(StateForkTest, a_record_goes_where_its_key_or_its_partition_key_hashes) {
  Subject parent(*node, parent_id);
  const Bytes l = key_in(left), r = key_in(right), by_partition = key_in(left, 1);
  parent.put({.key = l, .value = "l"});
  parent.put({.key = r, .value = "r"});
  parent.put({.key = by_partition, .value = "p", .partition_key = r});
  ASSERT_TRUE(split());
  Subject a(*node, left_id), b(*node, right_id);
  EXPECT_EQ(a.value(l), "l");
  EXPECT_EQ(a.get(r).status, Status::key_not_found);
  EXPECT_EQ(a.get(by_partition).status, Status::key_not_found);
  EXPECT_EQ(b.value(r), "r");
  EXPECT_EQ(b.value(by_partition), "p");
  EXPECT_EQ(b.get(r).version.version_id, parent.get(r).version.version_id);
  EXPECT_EQ(a.machine().next_version_id(), parent.machine().next_version_id());
}

TEST_P(StateForkTest, index_entries_sessions_expiries_and_sequences_follow_their_records) {
  Subject parent(*node, parent_id);
  const SessionId session = parent.session();
  const Bytes l = key_in(left), r = key_in(right);
  const SecondaryIndex index{"by", "same"};
  parent.put({.key = l, .value = "l", .session = session, .indexes = {&index, 1}});
  parent.put({.key = r, .value = "r", .session = session, .indexes = {&index, 1}, .time_to_live = 100ms});
  const std::uint64_t delta = 5;
  parent.put({.key = "seq", .value = "1", .partition_key = l, .sequence_deltas = {&delta, 1}});
  ASSERT_TRUE(split());
  Subject a(*node, left_id), b(*node, right_id);
  EXPECT_EQ(a.get("same", "by").value, "l");
  EXPECT_EQ(b.get("same", "by").value, "r");
  EXPECT_EQ(a.state()[Space::expiries].size(), 0U);
  EXPECT_EQ(b.state()[Space::expiries].size(), 1U);
  const auto next = a.put({.key = "seq", .value = "2", .partition_key = l, .sequence_deltas = {&delta, 1}});
  EXPECT_EQ(next.key, "seq-00000000000000000010");
  ASSERT_TRUE(a.machine().session_exists(session));
  ASSERT_TRUE(b.machine().session_exists(session));
  a.end(session);
  EXPECT_EQ(a.get(l).status, Status::key_not_found);
  EXPECT_EQ(b.value(r), "r");
  b.end(session);
  EXPECT_EQ(b.get(r).status, Status::key_not_found);
}

TEST_P(StateForkTest, a_request_that_was_answered_before_is_answered_so_by_its_child) {
  Subject parent(*node, parent_id);
  const Bytes r = key_in(right);
  const RequestId id{"client", 7};
  const auto first = parent.put({.key = r, .value = "once", .expected_version = must_not_exist}, id);
  ASSERT_TRUE(split());
  Subject b(*node, right_id);
  const auto again = b.put({.key = r, .value = "once", .expected_version = must_not_exist}, id);
  EXPECT_EQ(again.status, Status::ok);
  EXPECT_EQ(again.version.version_id, first.version.version_id);
}

TEST_P(StateForkTest, a_record_outside_the_hashes_is_named) {
  Subject parent(*node, parent_id);
  const Bytes r = key_in(right);
  parent.put({.key = key_in(left), .value = "l"});
  parent.put({.key = r, .value = "r"});
  const auto done = fork({parent_id}, {{left_id, {0, middle / 2}}, {right_id, {middle / 2 + 1, middle - 1}}}, Offset(1));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error(), ReshapeError::foreign_records);
  EXPECT_NE(done.error().message().find(r), std::string::npos);
}

TEST_P(StateForkTest, what_is_written_meanwhile_is_not_copied) {
  Subject parent(*node, parent_id);
  const Bytes l = key_in(left);
  parent.put({.key = l, .value = "before"});
  StateFork copy({.core = node->core(),
                  .order = order,
                  .parents = {&node->shard(parent_id)},
                  .children = {{&node->shard(left_id), left}, {&node->shard(right_id), right}}});
  parent.put({.key = l, .value = "after"});
  ASSERT_TRUE(node->run(copy.run()));
  ASSERT_TRUE(node->run(node->shard(left_id).finish_staging(Offset(0))));
  node->shard(left_id).take_staged();
  Subject a(*node, left_id);
  EXPECT_EQ(a.value(l), "before");
}

TEST_P(StateForkTest, two_shards_become_one_with_the_higher_counters) {
  Subject a(*node, left_id), b(*node, right_id);
  a.begin(Term(3));
  b.begin(Term(5));
  const Bytes l = key_in(left), r = key_in(right);
  const SessionId one = a.session();
  const SessionId other = b.session();
  a.put({.key = l, .value = "l", .session = one});
  for (int i = 0; i < 5; ++i) b.put({.key = r, .value = "r", .session = other});
  ASSERT_TRUE(fork({left_id, right_id}, {{merged_id, {}}}, std::max(a.head(), b.head())));
  Subject merged(*node, merged_id);
  EXPECT_EQ(merged.value(l), "l");
  EXPECT_EQ(merged.value(r), "r");
  EXPECT_EQ(merged.machine().term(), Term(5));
  EXPECT_EQ(merged.machine().next_version_id(), b.machine().next_version_id());
  EXPECT_EQ(merged.machine().last_stamp(), b.machine().last_stamp());
  EXPECT_EQ(merged.machine().sessions().size(), 2U);
  merged.end(one);
  EXPECT_EQ(merged.get(l).status, Status::key_not_found);
  EXPECT_EQ(merged.value(r), "r");
}

TEST_P(StateForkTest, shards_with_the_same_session_do_not_become_one) {
  Subject parent(*node, parent_id);
  parent.session();
  ASSERT_TRUE(split());
  const auto checked = node->run(check_sessions_apart({&node->shard(left_id), &node->shard(right_id)}));
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error(), ReshapeError::sessions_collide);
  const auto merged = fork({left_id, right_id}, {{merged_id, {}}}, Offset(9));
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error(), ReshapeError::sessions_collide);
}

TEST_P(StateForkTest, shards_with_the_same_key_do_not_become_one) {
  Subject a(*node, left_id), b(*node, right_id);
  a.put({.key = "key", .value = "1", .partition_key = key_in(left)});
  b.put({.key = "key", .value = "2", .partition_key = key_in(right)});
  const auto merged = fork({left_id, right_id}, {{merged_id, {}}}, Offset(0));
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error(), ReshapeError::foreign_records);
}

// Anything that a client may write, over few keys, so that records change hands between the children.
void write_anything(Subject& parent, Random& random, std::vector<SessionId>& sessions) {
  if (random.chance(0.05)) return sessions.push_back(parent.session());
  if (random.chance(0.03) && !sessions.empty()) {
    parent.end(sessions.back());
    return sessions.pop_back();
  }
  const auto any_key = [&] { return "k" + std::to_string(random.below(12)); };
  const Bytes key = any_key(), partition = any_key(), secondary = "s" + std::to_string(random.below(4));
  if (random.chance(0.1)) return static_cast<void>(parent.erase(key));
  if (random.chance(0.05)) {
    const Bytes end = any_key();
    const DeleteRange range{key, end};
    return static_cast<void>(parent.write({{}, {}, {&range, 1}}));
  }
  const SecondaryIndex index{"by", secondary};
  const std::uint64_t delta = 1;
  Wish put{.key = key, .value = secondary};
  if (random.chance(0.4)) put.partition_key = partition;
  if (random.chance(0.5)) put.indexes = {&index, 1};
  if (random.chance(0.3) && !sessions.empty()) put.session = sessions.front();
  if (random.chance(0.3)) put.time_to_live = std::chrono::milliseconds(random.below(1000) + 1);
  if (random.chance(0.1)) {
    put.sequence_deltas = {&delta, 1};
    put.partition_key = partition;
  }
  Wish again = put;
  again.partition_key = any_key() < partition ? std::nullopt : std::optional<BytesView>(partition);
  if (!again.partition_key) again.sequence_deltas = {};
  const Put both[] = {put.put(), again.put()};
  std::optional<RequestId> id;
  if (random.chance(0.3)) id = RequestId{"client", static_cast<std::uint64_t>(parent.head().value() + 1)};
  parent.write({std::span(both).first(random.chance(0.2) ? 2 : 1), {}, {}}, id);
}

TEST_P(StateForkTest, a_copy_and_the_entries_after_it_are_what_a_later_copy_is) {
  constexpr ShardId late_left{12}, late_right{13};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    node = subject_of(GetParam());
    ASSERT_TRUE(node->start());
    Random random(seed);
    std::vector<SessionId> sessions;
    Subject parent(*node, parent_id);
    parent.begin(Term(4));
    for (std::uint64_t i = random.below(150); i > 0; --i) write_anything(parent, random, sessions);
    const Offset copied = parent.head();
    ASSERT_TRUE(split());
    for (std::uint64_t i = random.below(150); i > 0; --i) write_anything(parent, random, sessions);
    ASSERT_TRUE(fork({parent_id}, {{late_left, left}, {late_right, right}}, parent.head()));

    Records records;
    const std::pair<ShardId, ShardId> pairs[] = {{left_id, late_left}, {right_id, late_right}};
    for (std::size_t self = 0; self < 2; ++self) {
      Subject child(*node, pairs[self].first), late(*node, pairs[self].second);
      const EntrySplit entries(order, {left, right}, self);
      for (auto at = parent.log().upper_bound(copied); at != parent.log().end(); ++at) {
        const auto entry = entries.split(at->second);
        ASSERT_TRUE(entry) << entry.error().message();
        child.take(*entry);
      }
      EXPECT_EQ(child.head(), late.head());
      EXPECT_EQ(tidy(child.state()), tidy(late.state()));
      EXPECT_EQ(child.machine().next_version_id(), late.machine().next_version_id());
      EXPECT_EQ(child.machine().last_stamp(), parent.machine().last_stamp());
      EXPECT_EQ(child.machine().term(), Term(4));
      EXPECT_EQ(child.machine().sessions().size(), parent.machine().sessions().size());
      const State state = child.state();
      for (const auto& [key, value] : state.at(Space::records)) EXPECT_TRUE(records.emplace(key, value).second);
    }
    EXPECT_EQ(records, parent.state()[Space::records]);
  }
}

TEST_P(StateForkTest, every_change_after_the_copy_is_told_by_exactly_one_child) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    node = subject_of(GetParam());
    ASSERT_TRUE(node->start());
    Random random(seed);
    std::vector<SessionId> sessions;
    Subject parent(*node, parent_id);
    for (int i = 0; i < 200; ++i) write_anything(parent, random, sessions);
    const EntrySplit splits[] = {{order, {left, right}, 0}, {order, {left, right}, 1}};
    for (const auto& [offset, entry] : parent.log()) {
      using Told = std::multiset<std::pair<Bytes, NotificationKind>>;
      Told told, wanted;
      const auto gather = [&](BytesView encoded, Told& into) {
        const auto batch = decode_notifications(order, offset, encoded);
        for (const Notification& each : batch->notifications) into.emplace(each.key, each.kind);
      };
      gather(entry, wanted);
      for (const EntrySplit& each : splits) gather(*each.split(entry), told);
      EXPECT_EQ(told, wanted);
    }
  }
}

TEST(EntrySplit, refuses_what_is_no_entry_and_names_foreign_records) {
  const EntrySplit split(order, {{0, 0}, {1, 1}}, 0);
  EXPECT_EQ(split.split("damage").error(), Errc::corrupt);
  const auto node = subject_of(Kind::memory);
  ASSERT_TRUE(node->start());
  Subject parent(*node, parent_id);
  parent.put({.key = "key", .value = "value"});
  EXPECT_EQ(split.split(parent.log().begin()->second).error(), ReshapeError::foreign_records);
}

INSTANTIATE_TEST_SUITE_P(Engines, StateForkTest, ::testing::Values(Kind::memory, Kind::tables),
                         [](const auto& each) { return each.param == Kind::memory ? "memory" : "tables"; });

}  // namespace
}  // namespace skerry::store
