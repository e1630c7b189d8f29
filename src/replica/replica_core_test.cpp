// SPDX-License-Identifier: Apache-2.0
#include "replica/replica_core.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/play_script.hpp"
#include "replica/testing/scripted_group.hpp"

namespace skerry::replica {
namespace {

// UPDATE_EXPECTED=1 rewrites the scripts with what they give now.
TEST(ReplicaCore, does_what_its_scripts_say) {
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/src/replica/testdata")) {
    if (entry.path().extension() != ".txt") continue;
    ++scripts;
    const std::string text = read_script(entry.path());
    const std::string played = play_script<ScriptedGroup>(text);
    if (std::getenv("UPDATE_EXPECTED") != nullptr) std::ofstream(entry.path()) << played;
    EXPECT_EQ(played, text) << entry.path().filename() << ": run with UPDATE_EXPECTED=1 if this is as it should be";
  }
  EXPECT_GE(scripts, 16);
}

// What no script can say: messages that a leader which keeps the rules never sends.
class Follower : public testing::Test {
 protected:
  static constexpr NodeId leader{1};
  static constexpr TimePoint now{1s};

  // Entries 0 to 5 of term 1 and 6 to 9 of term 2, of which all up to 3 are committed.
  Follower() : core_(ShardId(0), NodeId(2), found(), leases_) {}
  static Recovered found() {
    Recovered recovered{.term = Term(2), .last = Offset(9), .applied = Offset(3)};
    recovered.terms = TermHistory({{Term(1), Offset(0)}, {Term(2), Offset(6)}});
    return recovered;
  }
  static Append entries(EntryId previous, Term term, Offset last, Offset commit) {
    return {.term = Term(5), .previous = previous, .entries_term = term, .last = last, .commit = commit};
  }
  std::error_code refusal(const Append& message) {
    const auto effects = core_.append(leader, message, now);
    return effects ? std::error_code() : effects.error().code;
  }

  NodeLeases leases_{Incarnation(1), TimePoint()};
  ReplicaCore core_;
};

TEST_F(Follower, commits_no_further_than_what_it_knows_to_be_the_leaders) {
  const auto effects = core_.append(leader, entries({Term(1), Offset(4)}, Term(1), Offset(5), Offset(9)), now);
  ASSERT_TRUE(effects);
  EXPECT_EQ(effects->commit, Offset(5));
  EXPECT_EQ(effects->cut_above, std::nullopt);
}

TEST_F(Follower, refuses_to_contradict_what_is_committed) {
  EXPECT_EQ(refusal(entries({Term(0), Offset(3)}, Term(4), Offset(4), no_offset)), Errc::corrupt);
  EXPECT_EQ(refusal(entries({Term(1), Offset(1)}, Term(4), Offset(4), no_offset)), Errc::corrupt);
  EXPECT_EQ(core_.term(), Term(2));
  EXPECT_EQ(core_.last(), Offset(9));
}

TEST_F(Follower, refuses_what_is_no_message) {
  EXPECT_EQ(refusal(entries({Term(2), Offset(9)}, Term(6), Offset(10), no_offset)), Errc::corrupt);
  EXPECT_EQ(refusal(entries({Term(2), Offset(9)}, Term(1), Offset(10), no_offset)), Errc::corrupt);
  EXPECT_EQ(refusal(entries({Term(2), Offset(9)}, Term(5), Offset(7), no_offset)), Errc::corrupt);
  EXPECT_EQ(refusal(entries({Term(6), Offset(9)}, Term(6), Offset(10), no_offset)), Errc::corrupt);
  EXPECT_EQ(refusal(entries({Term(-1), Offset(-2)}, Term(5), Offset(3), no_offset)), Errc::corrupt);
  EXPECT_EQ(core_.term(), Term(2));
}

TEST_F(Follower, refuses_a_second_leader_of_the_term) {
  ASSERT_TRUE(core_.append(leader, entries({Term(2), Offset(9)}, Term(5), Offset(10), no_offset), now));
  const auto effects = core_.append(NodeId(7), entries({Term(2), Offset(9)}, Term(5), Offset(10), no_offset), now);
  EXPECT_EQ(effects.error(), Errc::corrupt);
}

// A leader of three, whose first follower has what there is and acknowledges as it comes.
class Leader : public testing::Test {
 protected:
  static constexpr NodeId follower{2};
  static constexpr TimePoint now{1s};

  Leader() : core_(ShardId(0), NodeId(1), {.term = Term(1)}, leases_) {
    Membership three;
    three.version = MembershipVersion(1);
    three.voters = {NodeId(1), follower, NodeId(3)};
    EXPECT_TRUE(core_.new_term({Term(2), three.version}, now));
    core_.persisted(core_.position(), now);
    EXPECT_TRUE(core_.become_leader({.term = Term(2), .membership = three}, now));
    propose();
    acknowledge();   // the barrier
  }
  void propose() {
    core_.propose();
    core_.persisted(core_.position(), now);
  }
  // Sends what there is to send, and lets the follower have it.
  void acknowledge() {
    while (const auto plan = core_.next_send(follower)) {
      const Append sent = core_.sent(follower, plan->last, 10, now);
      core_.answered(
          follower,
          {.term = Term(2), .incarnation = Incarnation(5), .version = sent.version, .matched = sent.last, .commit = sent.commit},
          now);
    }
  }

  NodeLeases leases_{Incarnation(1), TimePoint()};
  ReplicaCore core_;
};

TEST_F(Leader, tells_of_commits_with_the_next_entry_or_alone_when_asked) {
  propose();
  const auto plan = core_.next_send(follower, false);
  ASSERT_TRUE(plan);
  const Append sent = core_.sent(follower, plan->last, 10, now);
  EXPECT_FALSE(core_.owes_commit_news());
  core_.answered(
      follower,
      {.term = Term(2), .incarnation = Incarnation(5), .version = sent.version, .matched = sent.last, .commit = sent.commit},
      now);
  ASSERT_EQ(core_.commit(), sent.last);
  EXPECT_TRUE(core_.owes_commit_news());
  EXPECT_FALSE(core_.next_send(follower, false));
  EXPECT_TRUE(core_.next_send(follower, true));
  propose();
  const auto next = core_.next_send(follower, false);
  ASSERT_TRUE(next);
  EXPECT_EQ(core_.sent(follower, next->last, 10, now).commit, sent.last);
}

}  // namespace
}  // namespace skerry::replica
