// SPDX-License-Identifier: Apache-2.0
#include "control/raft_core.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/play_script.hpp"
#include "control/testing/raft_script.hpp"

namespace skerry::control {
namespace {

// UPDATE_EXPECTED=1 rewrites the scripts with what they give now.
TEST(RaftCore, does_what_its_scripts_say) {
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/src/control/testdata/raft")) {
    if (entry.path().extension() != ".txt") continue;
    ++scripts;
    const std::string text = read_script(entry.path());
    const std::string played = play_script<RaftScript>(text);
    if (std::getenv("UPDATE_EXPECTED") != nullptr) std::ofstream(entry.path()) << played;
    EXPECT_EQ(played, text) << entry.path().filename() << ": run with UPDATE_EXPECTED=1 if this is as it should be";
  }
  EXPECT_GT(scripts, 8);
}

RaftCore core_of(std::uint32_t self, std::uint32_t members) {
  return {{.self = RaftMember(self), .members = members}, {}, TimePoint{}};
}

TEST(RaftCore, refuses_what_no_peer_may_say) {
  RaftCore core = core_of(0, 3);
  const auto refused = [&core](std::uint32_t from, RaftMessage message) {
    const auto effects = core.receive(RaftMember(from), message, TimePoint{});
    return !effects && effects.error() == make_error_code(Errc::corrupt);
  };
  const RaftEntry entry{Term(1), std::make_shared<const Bytes>("x")};
  EXPECT_TRUE(refused(0, RaftGaveUp{Term(1)})) << "from itself";
  EXPECT_TRUE(refused(3, RaftGaveUp{Term(1)})) << "from nobody";
  EXPECT_TRUE(refused(1, RaftVote{.term = Term(2)})) << "in another's term";
  EXPECT_TRUE(refused(1, RaftVote{.term = Term(INT64_MAX)}));
  EXPECT_TRUE(refused(2, RaftAppend{.term = Term(1)})) << "in another's term";
  EXPECT_TRUE(refused(1, RaftAppend{.term = Term(1), .previous = {Term(2), Offset(-7)}}));
  EXPECT_TRUE(refused(1, RaftAppend{.term = Term(4), .entries = {{Term(2), entry.payload}, entry}})) << "terms that fall";
  EXPECT_TRUE(refused(1, RaftAppend{.term = Term(1), .entries = {{Term(2), entry.payload}}})) << "an entry of a later term";
  EXPECT_TRUE(refused(1, RaftAppend{.term = Term(1), .entries = {{Term(1), nullptr}}}));
  EXPECT_TRUE(refused(1, RaftSnapshot{.term = Term(1), .entry = {}})) << "of nothing";
  EXPECT_TRUE(refused(1, RaftAppendAnswer{.term = Term(0)}));
  EXPECT_EQ(core.term(), no_term) << "none of it has changed anything";
  ASSERT_TRUE(core.receive(RaftMember(1), RaftAppend{.term = Term(1), .entries = {entry}, .commit = Offset(0)}, TimePoint{}));
  EXPECT_TRUE(refused(2, RaftAppend{.term = Term(2), .entries = {{Term(2), entry.payload}}}))
      << "what is committed is another entry";
}

TEST(RaftCore, a_member_alone_leads_at_once_and_never_loses_its_lease) {
  RaftCore core = core_of(0, 1);
  core.stand();
  TimePoint now{};
  ASSERT_EQ(core.next_tick(), now);
  EXPECT_TRUE(core.tick(now).record);
  EXPECT_FALSE(core.leads()) << "its term is not durable yet";
  EXPECT_TRUE(core.persisted(core.position(), now).append_from);
  EXPECT_FALSE(core.in_office(now));
  EXPECT_TRUE(core.persisted(core.position(), now).office);
  EXPECT_TRUE(core.in_office(now + 1h));
  EXPECT_FALSE(core.tick(now + 1h).lost);
}

// Whoever stands asks between election_min and election_max after it heard a leader last, at a time of its own.
TEST(RaftCore, members_stand_at_different_times) {
  std::set<TimePoint> times;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RaftCore core({.self = RaftMember(0), .members = 3, .seed = seed}, {}, TimePoint{});
    core.stand();
    EXPECT_GE(core.next_tick(), TimePoint(300ms));
    EXPECT_LT(core.next_tick(), TimePoint(600ms));
    times.insert(core.next_tick());
  }
  EXPECT_GT(times.size(), 15U);
}

TEST(RaftLog, knows_terms_from_its_base_on) {
  const auto payload = std::make_shared<const Bytes>("four");
  RaftLog log({Term(1), Offset(4)}, {{Term(1), payload}, {Term(3), payload}});
  EXPECT_EQ(log.first(), Offset(5));
  EXPECT_EQ(log.head(), (EntryId{Term(3), Offset(6)}));
  EXPECT_EQ(log.bytes(), 8U);
  EXPECT_TRUE(log.has({Term(1), Offset(4)}));
  EXPECT_FALSE(log.has({Term(2), Offset(6)}));
  EXPECT_FALSE(log.term_of(Offset(3)));
  EXPECT_EQ(log.newest_before({Term(2), Offset(9)}), (EntryId{Term(1), Offset(5)}));
  EXPECT_EQ(log.newest_before({Term(3), Offset(6)}), (EntryId{Term(1), Offset(5)}));
  EXPECT_EQ(log.newest_before({Term(3), Offset(5)}), (EntryId{Term(1), Offset(4)}));
  log.cut_above(Offset(5));
  log.drop_before(Offset(6));
  EXPECT_EQ(log.base(), (EntryId{Term(1), Offset(5)}));
  EXPECT_EQ(log.bytes(), 0U);
  EXPECT_EQ(log.last(), Offset(5));
}

}  // namespace
}  // namespace skerry::control
