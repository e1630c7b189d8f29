// SPDX-License-Identifier: Apache-2.0
#include "node/completion.hpp"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "node/cli_client.hpp"
#include "node/cli_health.hpp"

namespace skerry::node {
namespace {

struct WholeApp {
  WholeApp() {
    add_client_command(app, chosen);
    add_health_command(app, chosen);
    add_completion_command(app, chosen);
  }
  CLI::App app{"Skerry", "skerry"};
  Command chosen;
  void parse(std::vector<std::string> words) {
    std::ranges::reverse(words);   // as CLI11 wants them
    app.parse(words);
  }
};

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

const CommandWords& find(const std::vector<CommandWords>& commands, const std::vector<std::string>& path) {
  return *std::ranges::find(commands, path, &CommandWords::path);
}

TEST(CommandWords, lists_every_subcommand_with_its_own_and_its_parents_flags) {
  WholeApp whole;
  const auto commands = command_words(whole.app);
  EXPECT_EQ(find(commands, {}).subcommands, (std::vector<std::string>{"client", "health", "completion"}));
  EXPECT_EQ(find(commands, {"client"}).subcommands.size(), 9U);
  std::vector<std::string> names;
  for (const auto& flag : find(commands, {"client", "put"}).flags)
    names.insert(names.end(), flag.names.begin(), flag.names.end());
  for (const char* name : {"-e", "--expected-version", "--json-lines", "-a", "--service-address", "--help"}) {
    EXPECT_TRUE(contains(names, name)) << name;
  }
}

TEST(CommandWords, knows_which_flags_take_a_value) {
  WholeApp whole;
  const auto commands = command_words(whole.app);
  const auto& flags = find(commands, {"client", "get"}).flags;
  const auto takes_value = [&](std::string_view name) {
    return std::ranges::find_if(flags, [&](const auto& flag) { return contains(flag.names, name); })->takes_value;
  };
  EXPECT_TRUE(takes_value("--comparison-type"));
  EXPECT_TRUE(takes_value("--namespace"));
  EXPECT_FALSE(takes_value("--hex"));
}

TEST(Completion, scripts_name_every_path) {
  WholeApp whole;
  const auto commands = command_words(whole.app);
  for (const std::string& script : {bash_completion("skerry", commands), zsh_completion("skerry", commands)}) {
    EXPECT_NE(script.find("\"client range-scan\")"), std::string::npos);
    EXPECT_NE(script.find("--internal-keys"), std::string::npos);
  }
  const std::string fish = fish_completion("skerry", commands);
  EXPECT_NE(fish.find("complete -c skerry -n '__skerry_at \"client\"' -a put"), std::string::npos);
  EXPECT_NE(fish.find("-l comparison-type"), std::string::npos);
}

TEST(Completion, offers_the_values_of_a_choice) {
  WholeApp whole;
  const auto commands = command_words(whole.app);
  const auto& flags = find(commands, {"client", "list"}).flags;
  const auto choices = [&](std::string_view name) {
    return std::ranges::find_if(flags, [&](const auto& flag) { return contains(flag.names, name); })->choices;
  };
  EXPECT_EQ(choices("--output"), (std::vector<std::string>{"text", "json"}));
  EXPECT_EQ(choices("--key-sorting"), (std::vector<std::string>{"hierarchical", "natural"}));
  EXPECT_TRUE(choices("--namespace").empty());
  EXPECT_EQ(find(commands, {"completion"}).choices, (std::vector<std::string>{"bash", "zsh", "fish"}));
  EXPECT_NE(bash_completion("skerry", commands).find(R"("client list -o"|"client list --output") values="text json")"),
            std::string::npos);
  EXPECT_NE(fish_completion("skerry", commands).find("-x -a 'hierarchical natural'"), std::string::npos);
}

// --- the command line itself

TEST(CommandLine, takes_the_flags_of_client_before_and_after_its_subcommand) {
  for (const auto& words : {std::vector<std::string>{"client", "-a", "h:1", "put", "k", "v"},
                            {"client", "put", "-a", "h:1", "k", "v"},
                            {"client", "put", "k", "v", "-n", "ns", "-o", "json"},
                            {"client", "put", "-e", "-1", "k", "v"},
                            {"client", "put", "-p", "p", "-d", "1,2", "k", "v"},
                            {"client", "put", "-d", "1", "-d", "2", "k", "v", "-p", "x"},
                            {"client", "list", "-s", "a", "-e", "b"},
                            {"client", "put", "--index", "a=b", "--index", "c=d", "k", "-c"}}) {
    WholeApp whole;
    EXPECT_NO_THROW(whole.parse(words)) << words.back();
    EXPECT_TRUE(whole.chosen);
  }
}

TEST(CommandLine, refuses_what_it_does_not_know) {
  for (const auto& words : {std::vector<std::string>{"client"},
                            {"client", "get"},
                            {"client", "get", "a", "b"},
                            {"client", "frobnicate"},
                            {"client", "put", "--frobnicate"},
                            {"client", "delete-range", "-s", "a"},
                            {"completion", "csh"},
                            {"client", "sequence-updates", "k"},
                            {"client", "-o", "xml", "list"}}) {
    WholeApp whole;
    EXPECT_THROW(whole.parse(words), CLI::ParseError) << words.back();
  }
}

}  // namespace
}  // namespace skerry::node
