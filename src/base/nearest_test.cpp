// SPDX-License-Identifier: Apache-2.0
#include "base/nearest.hpp"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Nearest, counts_added_dropped_and_changed_letters) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("get", "get"), 0U);
  EXPECT_EQ(edit_distance("get", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, finds_the_word_that_was_meant) {
  const std::vector<std::string> known{"get", "list", "put", "range-scan"};
  EXPECT_EQ(nearest("gte", known), "get");
  EXPECT_EQ(nearest("rnage-scan", known), "range-scan");
  EXPECT_EQ(did_you_mean("lst", known), "; did you mean list?");
}

TEST(Nearest, keeps_silent_when_no_word_is_near) {
  EXPECT_EQ(nearest("frobnicate", {"get", "list"}), "");
  EXPECT_EQ(nearest("get", {}), "");
  EXPECT_EQ(did_you_mean(std::string(5000, 'x'), {"get"}), "");
}

}  // namespace
}  // namespace skerry
