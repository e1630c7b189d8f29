// SPDX-License-Identifier: Apache-2.0
#include "node/cli_command.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/nearest.hpp"
#include "client/error.hpp"

namespace skerry::node {

using client::ClientErrc;

ExitStatus exit_status(const Error& error) {
  if (error == ClientErrc::key_not_found || error == ClientErrc::namespace_not_found || error == Errc::not_found) {
    return exit_not_found;
  }
  if (error == ClientErrc::unexpected_version_id) return exit_version_conflict;
  if (error == ClientErrc::outcome_unknown) return exit_outcome_unknown;
  if (error == Errc::unavailable || error == Errc::deadline_exceeded) return exit_unavailable;
  if (error == Errc::invalid_argument) return exit_usage;
  if (error == ClientErrc::not_authorized) return exit_not_allowed;
  return exit_failed;
}

std::string exit_statuses_text() {
  struct Row {
    ExitStatus status;
    const char* meaning;
  };
  static constexpr Row rows[] = {
      {exit_ok, "Done"},
      {exit_failed, "Failed, in no way that is named below"},
      {exit_usage, "The command line, what it hands in, or the configuration is wrong"},
      {exit_not_found, "There is no such key, namespace or other thing that was named"},
      {exit_version_conflict, "The record is not of the expected version, or a batch was rejected"},
      {exit_unavailable, "No server answered in time, and nothing was changed"},
      {exit_outcome_unknown, "A write or a change was sent, and whether it took effect is not known"},
      {exit_not_allowed, "The server does not let this caller do it: no or unknown token, or a role that is too low"},
  };
  std::string text = "Exit Status:\n";
  for (const Row& row : rows) text += fmt::format("  {:<27} {}\n", static_cast<int>(row.status), row.meaning);
  text.pop_back();
  return text;
}

namespace {

// Says what the thing is, where a coordinator's address was given for a server's.
std::string words_of(const Error& error) {
  std::string text = error.message();
  if (error != Errc::unsupported || text.find("no method") == std::string::npos ||
      text.find("OxiaClient/") == std::string::npos) {
    return text;
  }
  return "what answers there holds no records: give -a the public address of a standalone or of a cluster's server; a coordinator's "
         "is for `skerry admin`";
}

}  // namespace

int report(const Error& error) {
  fmt::print(stderr, "Error: {}\n", words_of(error));
  return exit_status(error);
}

namespace {

const CLI::App& deepest_of(const CLI::App& app) {
  const CLI::App* deepest = &app;
  for (auto chosen = deepest->get_subcommands(); !chosen.empty(); chosen = deepest->get_subcommands()) deepest = chosen.front();
  return *deepest;
}

std::vector<std::string> names_below(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(each->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> names;
  const CLI::App* from = &app;
  for (bool more = true; more && from != nullptr; more = from->get_fallthrough(), from = from->get_parent()) {
    for (const CLI::Option* option : from->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

void tell_unknown(const CLI::App& deepest, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  if (word.starts_with('-')) {
    fmt::print(stderr, "Error: unknown flag: {}{}\n", name, did_you_mean(name, flags_of(deepest)));
  } else {
    fmt::print(stderr, "Error: unknown subcommand: {}{}\n", word, did_you_mean(word, names_below(deepest)));
  }
}

// What is typed to name it.
std::string words_to(const CLI::App& app) {
  std::string words = app.get_name();
  for (const CLI::App* parent = app.get_parent(); parent != nullptr; parent = parent->get_parent()) {
    words = parent->get_name() + " " + words;
  }
  words.erase(0, words.find_first_not_of(' '));   // in the shell the program itself has no name
  return words;
}

int help_about(const CLI::App& app, const std::vector<std::string>& topic) {
  const CLI::App* about = &app;
  for (const std::string& word : topic) {
    const auto named = about->get_subcommands([&word](const CLI::App* each) { return each->get_name() == word; });
    if (named.empty()) return tell_unknown(*about, word), exit_usage;
    about = named.front();
  }
  return fmt::print("{}", about->get_formatter()->make_help(about, words_to(*about), CLI::AppFormatMode::Normal)), exit_ok;
}

}  // namespace

void add_help_words(CLI::App& app, Command& chosen) {
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  if (subcommands.empty()) return;
  for (CLI::App* each : subcommands) add_help_words(*each, chosen);
  CLI::App& help = *app.add_subcommand("help", "Print this help, or that of a word");
  if (app.get_parent() != nullptr) help.group("");   // --help is enough there
  const auto topic = std::make_shared<std::vector<std::string>>();
  help.add_option("WORD", *topic, "Whose help");
  help.callback([&app, &chosen, topic] { chosen = [&app, topic] { return help_about(app, *topic); }; });
}

int exit_for(const CLI::App& app, const CLI::ParseError& error) {
  // A misspelt subcommand is first of all a missing one to the parser, or none at all beside --help; people want to hear of the
  // misspelling.
  const std::vector<std::string> unknown = app.remaining(true);
  const CLI::App& deepest = deepest_of(app);
  const bool help = error.get_exit_code() == 0;   // or the version
  if (help && unknown.empty()) return app.exit(error);
  const auto is = [&](CLI::ExitCodes code) { return error.get_exit_code() == static_cast<int>(code); };
  const bool wants_subcommand = !names_below(deepest).empty();
  if (!unknown.empty() && (is(CLI::ExitCodes::RequiredError) || (help && wants_subcommand))) {
    tell_unknown(deepest, unknown.front());
  } else if (!unknown.empty() && (help || is(CLI::ExitCodes::ExtrasError))) {
    const std::string name = unknown.front().substr(0, unknown.front().find('='));
    fmt::print(stderr, "Error: not expected: {}{}\n", fmt::join(unknown, " "),   // in the order they were written
               name.starts_with('-') ? did_you_mean(name, flags_of(deepest)) : "");
  } else {
    fmt::print(stderr, "Error: {}\n", error.what());
  }
  const std::string words = words_to(deepest);
  fmt::print(stderr, "`{}` tells what {}.\n", words.empty() ? "help" : words + " --help",
             words.empty() ? "there is" : "it takes");
  return exit_usage;
}

}   // namespace skerry::node
