// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "client/types.hpp"
#include "node/completion.hpp"

// A line of the shell: its words, and what may follow them. Pure.
namespace skerry::node {

// As a POSIX shell splits: blanks part words, '…' and "…" and \ keep what is between or after them; # begins a comment where a
// word could begin. Fails with invalid_argument when a quote is not closed.
Result<std::vector<std::string>> split_line(std::string_view line);
// So that split_line() gives it back as one word.
std::string quote_word(std::string_view word);

// What stands before the cursor.
struct LineStart {
  std::vector<std::string> words;   // that are complete
  std::string begun;                // the word that is being written; "" after a blank
  std::size_t begun_at = 0;         // where it starts in the line, with its quotes
};
LineStart read_start(std::string_view line);

// The words that may be meant by `start.begun`: subcommands, flags, values of choices; nullopt where a key may stand.
std::optional<std::vector<std::string>> known_continuations(const LineStart& start, const std::vector<CommandWords>& commands);

// Lists the keys of [start, end), at most `limit`.
using ListKeys = std::function<std::vector<std::string>(const std::string& start, const std::string& end, std::size_t limit)>;
// Keys that begin with `begun`. In hierarchical order no further than the next '/', as with files: "/a/b/" stands for all below.
std::vector<std::string> key_continuations(const std::string& begun, client::KeyOrder order, const ListKeys& list);

// The longest text that all of them begin with.
std::string common_start(const std::vector<std::string>& words);

}  // namespace skerry::node
