// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>

#include "store/testing/script_words.hpp"
#include "store/testing/test_shard.hpp"

namespace skerry::store::testing {

// A shard that is told what to do in words, and tells in words what came of it: the interpreter of testdata/*.txt.
class ScriptShard {
 public:
  ScriptShard();
  // Runs one line and returns what it prints, in whole lines.
  std::string command(const std::string& line);

 private:
  using Handler = std::string (ScriptShard::*)(Words& words);
  std::string run(Words& words);

  std::string open(Words& words);
  std::string write(Words& words);
  std::string propose(Words& words);
  std::string commit(Words& words);
  std::string drop(Words& words);
  std::string restart(Words& words);
  std::string session(Words& words);
  std::string end(Words& words);
  std::string sessions(Words& words);
  std::string barrier(Words& words);
  std::string get(Words& words);
  std::string list(Words& words);
  std::string scan(Words& words);
  std::string sequence(Words& words);
  std::string notifications(Words& words);
  std::string clock(Words& words);
  std::string sweep(Words& words);
  std::string expire(Words& words);
  std::string page(Words& words);
  std::string dump(Words& words);
  std::string replay(Words& words);

  std::string settle();            // commits, unless the command said `propose`
  std::string answer(const std::variant<Proposal, Error>& evaluated);
  Range range(Words& words);

  KeyOrder order_ = KeyOrder::hierarchical;
  std::unique_ptr<TestShard> shard_;
  bool proposing_ = false;
  std::size_t told_ = 0;           // entries whose notifications were printed
  static const std::map<std::string, Handler> handlers;
};

}  // namespace skerry::store::testing
