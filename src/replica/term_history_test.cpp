// SPDX-License-Identifier: Apache-2.0
#include "replica/term_history.hpp"

#include <gtest/gtest.h>

#include "runtime/random.hpp"

namespace skerry::replica {
namespace {

EntryId entry(std::int64_t term, std::int64_t offset) { return {Term(term), Offset(offset)}; }

TEST(TermHistory, knows_nothing_but_the_beginning_at_first) {
  const TermHistory history;
  EXPECT_EQ(history.term_of(no_offset), no_term);
  EXPECT_EQ(history.term_of(Offset(0)), std::nullopt);
  EXPECT_EQ(history.newest(Term(9), no_offset), EntryId());
}

TEST(TermHistory, after_a_snapshot_knows_that_entry_and_what_follows) {
  TermHistory history({entry(1, 0), entry(2, 5)});
  history.reset(entry(3, 9));
  EXPECT_EQ(history.term_of(Offset(8)), std::nullopt);
  EXPECT_EQ(history.term_of(Offset(9)), Term(3));
  history.append(Term(4), Offset(10));
  EXPECT_EQ(history.newest(Term(3), Offset(12)), entry(3, 9));
  EXPECT_EQ(history.newest(Term(2), Offset(12)), EntryId());
}

TEST(TermHistory, trimming_keeps_the_term_of_the_entry_before) {
  TermHistory history({entry(1, 0), entry(2, 5), entry(4, 8)});
  history.trim(Offset(8));
  EXPECT_EQ(history.term_of(Offset(7)), Term(2));
  EXPECT_EQ(history.term_of(Offset(4)), std::nullopt);
  history.trim(Offset(9));
  EXPECT_EQ(history.term_of(Offset(8)), Term(4));
  EXPECT_EQ(history.terms(), 1U);
}

// Against a list of every entry's term.
TEST(TermHistory, does_what_a_list_of_all_terms_would) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    TermHistory history;
    std::vector<std::int64_t> terms;
    for (int step = 0; step < 60; ++step) {
      const std::int64_t newest = terms.empty() ? 0 : terms.back();
      if (random.chance(0.2) && !terms.empty()) {
        terms.resize(random.below(terms.size() + 1));
        history.truncate(Offset(static_cast<std::int64_t>(terms.size()) - 1));
        continue;
      }
      const std::int64_t term = newest + static_cast<std::int64_t>(random.chance(0.3) ? random.below(4) : 0);
      history.append(Term(term), Offset(static_cast<std::int64_t>(terms.size())));
      terms.insert(terms.end(), 1 + random.below(4), term);
    }
    const Offset last(static_cast<std::int64_t>(terms.size()) - 1);
    for (std::size_t at = 0; at < terms.size(); ++at) {
      const Offset offset(static_cast<std::int64_t>(at));
      ASSERT_EQ(history.term_of(offset), Term(terms[at]));
      std::size_t end = at;
      while (end + 1 < terms.size() && terms[end + 1] == terms[at]) ++end;
      ASSERT_EQ(history.end_of_term(offset, last), Offset(static_cast<std::int64_t>(end)));
    }
    for (std::int64_t bound = -1; bound < 20; ++bound) {
      EntryId expected;
      for (std::size_t at = 0; at < terms.size(); ++at) {
        if (terms[at] <= bound) expected = entry(terms[at], static_cast<std::int64_t>(at));
      }
      ASSERT_EQ(history.newest(Term(bound), last), expected);
    }
  }
}

}  // namespace
}  // namespace skerry::replica
