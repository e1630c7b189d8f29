// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::node {

// Reads lines from a person at the terminal: editing, history kept in a file, completion on Tab. Over libedit. One thread's.
class LineEditor {
 public:
  // What may replace the part of the line from `replace_from` on.
  struct Completions {
    std::size_t replace_from = 0;
    std::vector<std::string> words;      // as the person sees them
    std::string inserted;                // for all of them; the longest that is certain
    bool complete = false;               // `inserted` is the word: a blank follows
  };
  using Complete = std::function<Completions(std::string_view before_cursor)>;

  // `history_file`: "" for none. It is read now, and written by save().
  LineEditor(std::string prompt, const std::string& history_file, Complete complete);
  ~LineEditor();

  enum class Ended { line, interrupted, end };
  // Ctrl-C drops the line (interrupted); Ctrl-D on an empty one is the end.
  Ended read(std::string& line);
  // Lines that begin with a blank are not kept.
  void remember(const std::string& line);
  // False when the history could not be written.
  bool save() const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

}  // namespace skerry::node
