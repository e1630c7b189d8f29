// SPDX-License-Identifier: Apache-2.0
#include "node/cli_shell_line.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "store/key_order.hpp"

namespace skerry::node {
namespace {

using Words = std::vector<std::string>;

TEST(ShellLine, is_split_as_a_shell_does) {
  EXPECT_EQ(split_line("put /a value").value(), (Words{"put", "/a", "value"}));
  EXPECT_EQ(split_line("  put\t'/a b' \"c \\\" d\" e\\ f ''").value(), (Words{"put", "/a b", "c \" d", "e f", ""}));
  EXPECT_EQ(split_line("get a#b # a comment 'with a quote").value(), (Words{"get", "a#b"}));
  EXPECT_EQ(split_line("").value(), Words{});
  EXPECT_EQ(split_line("# nothing").value(), Words{});
  EXPECT_EQ(split_line("get '/a").error(), Errc::invalid_argument);
}

TEST(ShellLine, quoted_words_come_back_as_they_were) {
  for (const std::string word : {"plain", "/a b", "it's", "\"", "back\\slash", "#hash", "", "a\tb"}) {
    EXPECT_EQ(split_line(quote_word(word)).value(), Words{word}) << quote_word(word);
  }
}

TEST(ShellLine, tells_the_word_that_is_being_written) {
  const LineStart blank = read_start("get ");
  EXPECT_EQ(blank.words, Words{"get"});
  EXPECT_EQ(blank.begun, "");
  EXPECT_EQ(blank.begun_at, 4U);
  const LineStart begun = read_start("get '/a b");
  EXPECT_EQ(begun.words, Words{"get"});
  EXPECT_EQ(begun.begun, "/a b");
  EXPECT_EQ(begun.begun_at, 4U);
}

std::vector<CommandWords> grammar() {
  CommandWords root;
  root.subcommands = {"get", "admin"};
  CommandWords get;
  get.path = {"get"};
  get.flags = {{{"-t", "--comparison-type"}, "", true, {"equal", "floor", "lower"}}, {{"--hex"}, "", false, {}}};
  CommandWords admin;
  admin.path = {"admin"};
  admin.subcommands = {"namespace"};
  return {root, get, admin};
}

TEST(ShellLine, offers_words_flags_and_choices_and_else_leaves_it_to_keys) {
  const auto offers = [](std::string_view line) { return known_continuations(read_start(line), grammar()); };
  EXPECT_EQ(offers(""), (Words{"admin", "get"}));
  EXPECT_EQ(offers("ge"), Words{"get"});
  EXPECT_EQ(offers("admin "), Words{"namespace"});
  EXPECT_EQ(offers("get --c"), Words{"--comparison-type"});
  EXPECT_EQ(offers("get -t "), (Words{"equal", "floor", "lower"}));
  EXPECT_EQ(offers("get -t f"), Words{"floor"});
  EXPECT_EQ(offers("get /a"), std::nullopt);
  EXPECT_EQ(offers("get --hex "), std::nullopt);
}

// A store that lists as the real one does.
ListKeys lists(Words keys, store::KeyOrder order) {
  const auto before = [order](const std::string& a, const std::string& b) {
    return store::encode_key(order, a) < store::encode_key(order, b);
  };
  std::ranges::sort(keys, before);
  return [keys, before](const std::string& start, const std::string& end, std::size_t limit) {
    Words found;
    for (const std::string& key : keys) {
      if (!before(key, start) && before(key, end) && found.size() < limit) found.push_back(key);
    }
    return found;
  };
}

TEST(KeyCompletion, goes_to_the_next_slash_in_hierarchical_order) {
  const Words keys{"/apples", "/app/a", "/app/b/deep/er", "/app/berry", "/zoo", "plain", "/app/x y"};
  const auto list = lists(keys, store::KeyOrder::hierarchical);
  const auto complete = [&](const std::string& begun) { return key_continuations(begun, client::KeyOrder::hierarchical, list); };
  EXPECT_EQ(complete("/ap"), (Words{"/app/", "/apples"}));
  EXPECT_EQ(complete("/app/"), (Words{"/app/a", "/app/b/", "/app/berry", "/app/x y"}));
  EXPECT_EQ(complete("/app/b"), (Words{"/app/b/", "/app/berry"}));
  EXPECT_EQ(complete("/app/b/"), Words{"/app/b/deep/"});
  EXPECT_EQ(complete("/zoo"), Words{"/zoo"});
  EXPECT_EQ(complete("/nothing"), Words{});
  EXPECT_EQ(complete(""), (Words{"/", "plain"}));
}

TEST(KeyCompletion, gives_whole_keys_in_natural_order) {
  const auto list = lists({"a/b", "a/c/d", "ab", "b"}, store::KeyOrder::natural);
  EXPECT_EQ(key_continuations("a", client::KeyOrder::natural, list), (Words{"a/b", "a/c/d", "ab"}));
}

TEST(KeyCompletion, inserts_what_all_have_in_common) {
  EXPECT_EQ(common_start({"/app/a", "/app/b"}), "/app/");
  EXPECT_EQ(common_start({"one"}), "one");
  EXPECT_EQ(common_start({}), "");
}

}  // namespace
}  // namespace skerry::node
