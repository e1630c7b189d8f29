// SPDX-License-Identifier: Apache-2.0
#include "node/cli_prefix.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace skerry::node {
namespace {

using client::Direction;
using store::KeyOrder;

struct Walked {
  std::vector<std::string> keys;
  std::size_t met = 0, walks = 1;
};

// What a store with these keys has the walk meet.
Walked walk(KeyOrder order, Direction direction, std::vector<std::string> keys, const std::string& prefix) {
  const auto encoded = [order](const std::string& key) { return store::encode_key(order, key); };
  std::ranges::sort(keys, {}, encoded);
  if (direction == Direction::backward) std::ranges::reverse(keys);
  PrefixWalk walk(order, direction, prefix);
  Walked walked;
  for (std::size_t at = 0; at < keys.size(); ++at) {
    const client::KeyRange& range = walk.range();
    if (encoded(keys[at]) < encoded(range.start) || (!range.end.empty() && encoded(keys[at]) >= encoded(range.end))) continue;
    ++walked.met;
    const PrefixWalk::Step step = walk.meet(keys[at]);
    if (step == PrefixWalk::Step::take) walked.keys.push_back(keys[at]);
    if (step == PrefixWalk::Step::begin_anew) ++walked.walks;
  }
  return walked;
}

std::vector<std::string> expected(KeyOrder order, Direction direction, std::vector<std::string> keys, const std::string& prefix) {
  std::erase_if(keys, [&](const std::string& key) { return !key.starts_with(prefix); });
  std::ranges::sort(keys, {}, [order](const std::string& key) { return store::encode_key(order, key); });
  if (direction == Direction::backward) std::ranges::reverse(keys);
  return keys;
}

TEST(PrefixWalk, finds_what_begins_with_it_at_every_depth_and_nothing_else) {
  const std::vector<std::string> alphabet = {
      "/", "a", "b", "\x01", "0", ".", "\xC3\xA9", "\xF4\x8F\xBF\xBF", std::string(1, '\0')};
  std::mt19937 random(7);
  const auto text = [&](std::size_t length_max) {
    std::string made;
    for (std::size_t i = random() % (length_max + 1); i > 0; --i) made += alphabet[random() % alphabet.size()];
    return made;
  };
  for (int round = 0; round < 4000; ++round) {
    std::vector<std::string> keys;
    for (int i = 0; i < 40; ++i) keys.push_back(text(7));
    std::ranges::sort(keys);
    keys.erase(std::ranges::unique(keys).begin(), keys.end());
    const std::string prefix = text(4);
    for (const KeyOrder order : {KeyOrder::natural, KeyOrder::hierarchical}) {
      for (const Direction direction : {Direction::forward, Direction::backward}) {
        ASSERT_EQ(walk(order, direction, keys, prefix).keys, expected(order, direction, keys, prefix)) << prefix;
      }
    }
  }
}

TEST(PrefixWalk, begins_anew_instead_of_reading_what_lies_between) {
  std::vector<std::string> keys = {"/config/a", "/config/x/y", "/config/x/y/z"};
  for (int i = 100; i < 1100; ++i) {
    const std::string number = std::to_string(i);
    for (const char* folder : {"/a/", "/z/"}) {
      for (const char* below : {"", "/x", "/x/y"}) keys.push_back(folder + number + below);
    }
  }
  const Walked walked = walk(KeyOrder::hierarchical, Direction::forward, keys, "/config/");
  EXPECT_EQ(walked.keys, (std::vector<std::string>{"/config/a", "/config/x/y", "/config/x/y/z"}));
  EXPECT_LE(walked.met, 10u);
  EXPECT_LE(walked.walks, 6u);
  EXPECT_EQ(walk(KeyOrder::natural, Direction::forward, keys, "/config/").met, 3u);
}

TEST(TextAfter, is_the_next_text_of_another_beginning) {
  EXPECT_EQ(text_after("/a"), "/b");
  EXPECT_EQ(text_after("a\x7F"), "a\xC2\x80");
  EXPECT_EQ(text_after("\xED\x9F\xBF"), "\xEE\x80\x80");   // past what is no character
  EXPECT_EQ(text_after("a\xF4\x8F\xBF\xBF"), "b");
  EXPECT_EQ(text_after("\xF4\x8F\xBF\xBF"), std::nullopt);
  EXPECT_EQ(text_after(""), std::nullopt);
}

}  // namespace
}  // namespace skerry::node
