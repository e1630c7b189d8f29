// SPDX-License-Identifier: Apache-2.0
#include "node/cli_shell_line.hpp"

#include <algorithm>
#include <set>

namespace skerry::node {
namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::string_view highest_text = "\xF4\x8F\xBF\xBF";   // U+10FFFF: no character sorts after it
constexpr std::size_t keys_at_once_max = 500;
constexpr int levels_below_max = 3;   // that are looked at for folders which are no records themselves

bool is_blank(char c) { return blanks.find(c) != std::string_view::npos; }

struct Splitter {
  std::vector<std::string> words;
  std::string word;
  std::size_t word_at = 0;
  bool in_word = false;
  char quote = 0;

  void end_word() {
    if (in_word) words.push_back(std::exchange(word, {}));
    in_word = false;
  }
  void begin_word(std::size_t at) {
    if (!std::exchange(in_word, true)) word_at = at;
  }

  void run(std::string_view line) {
    for (std::size_t at = 0; at < line.size(); ++at) {
      const char c = line[at];
      if (quote == 0 && is_blank(c)) {
        end_word();
        continue;
      }
      if (c == '#' && !in_word) return;
      begin_word(at);
      const bool escapes = c == '\\' && quote != '\'' && at + 1 < line.size();
      if (escapes && (quote == 0 || line[at + 1] == '"' || line[at + 1] == '\\')) {
        word += line[++at];
      } else if (quote != 0 ? c == quote : c == '\'' || c == '"') {
        quote = quote == 0 ? c : 0;
      } else {
        word += c;
      }
    }
  }
};

std::vector<std::string> beginning_with(const std::string& begun, std::vector<std::string> words) {
  std::erase_if(words, [&](const std::string& word) { return !word.starts_with(begun); });
  std::ranges::sort(words);
  words.erase(std::ranges::unique(words).begin(), words.end());
  return words;
}

// The command that the words name, and how many of them do.
std::pair<const CommandWords*, std::size_t> find_command(const std::vector<std::string>& words,
                                                         const std::vector<CommandWords>& commands) {
  std::vector<std::string> path;
  const CommandWords* found = &commands.front();   // the root
  for (const std::string& word : words) {
    path.push_back(word);
    const auto next = std::ranges::find(commands, path, &CommandWords::path);
    if (next == commands.end()) return {found, path.size() - 1};
    found = &*next;
  }
  return {found, path.size()};
}

}  // namespace

Result<std::vector<std::string>> split_line(std::string_view line) {
  Splitter splitter;
  splitter.run(line);
  if (splitter.quote != 0) return fail(Errc::invalid_argument, std::string("a ") + splitter.quote + " is not closed");
  splitter.end_word();
  return std::move(splitter.words);
}

std::string quote_word(std::string_view word) {
  std::string quoted;
  for (const char c : word) {
    if (is_blank(c) || c == '\\' || c == '\'' || c == '"' || (c == '#' && quoted.empty())) quoted += '\\';
    quoted += c;
  }
  return quoted.empty() ? "''" : quoted;
}

LineStart read_start(std::string_view line) {
  Splitter splitter;
  splitter.run(line);
  if (!splitter.in_word) return {std::move(splitter.words), {}, line.size()};
  return {std::move(splitter.words), std::move(splitter.word), splitter.word_at};
}

std::optional<std::vector<std::string>> known_continuations(const LineStart& start, const std::vector<CommandWords>& commands) {
  const auto [command, named] = find_command(start.words, commands);
  const bool only_path = named == start.words.size();
  if (!start.words.empty()) {
    for (const CommandWords::Flag& flag : command->flags) {
      if (std::ranges::find(flag.names, start.words.back()) == flag.names.end() || flag.choices.empty()) continue;
      return beginning_with(start.begun, flag.choices);
    }
  }
  if (start.begun.starts_with('-')) {
    std::vector<std::string> names;
    for (const CommandWords::Flag& flag : command->flags) names.insert(names.end(), flag.names.begin(), flag.names.end());
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("--"); });
    return beginning_with(start.begun, std::move(names));
  }
  if (only_path && !command->subcommands.empty()) return beginning_with(start.begun, command->subcommands);
  if (!command->subcommands.empty() || !command->choices.empty()) return beginning_with(start.begun, command->choices);
  return std::nullopt;
}

std::vector<std::string> key_continuations(const std::string& begun, client::KeyOrder order, const ListKeys& list) {
  const std::string end(highest_text);
  if (order == client::KeyOrder::natural) return beginning_with(begun, list(begun, begun + end, keys_at_once_max));
  // Keys of one depth stand together, and '/' sorts last among bytes: those that begin with `begun` and are `below` levels deeper
  // are found between begun + the lowest byte and begun + '/' + the highest.
  std::set<std::string> found;
  for (int below = 0; below <= levels_below_max; ++below) {
    const std::string slashes(static_cast<std::size_t>(below), '/');
    const std::string start = below == 0 ? begun : begun + "\x01" + slashes;
    for (const std::string& key : list(start, begun + slashes + end, keys_at_once_max)) {
      if (!key.starts_with(begun)) continue;
      const std::size_t slash = key.find('/', begun.size());
      found.insert(slash == std::string::npos ? key : key.substr(0, slash + 1));
    }
  }
  return {found.begin(), found.end()};
}

std::string common_start(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  std::string common = words.front();
  for (const std::string& word : words) {
    const auto differ = std::ranges::mismatch(common, word).in1;
    common.erase(differ, common.end());
  }
  return common;
}

}   // namespace skerry::node
