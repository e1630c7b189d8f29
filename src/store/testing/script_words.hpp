// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/operations.hpp"
#include "store/state_machine.hpp"

namespace skerry::store::testing {

// A command line in pieces: words, and name=value options. "…" quotes, with \xNN, \" and \\ inside.
struct Words {
  explicit Words(const std::string& line);
  bool done() const { return at == words.size(); }
  Bytes take();                                            // the next word; complains when there is none
  std::optional<Bytes> option(const std::string& name);    // takes it away
  std::optional<std::int64_t> number(const std::string& name);
  void finish() const;                                     // complains about what nobody took

  std::vector<Bytes> words;
  std::size_t at = 0;
  std::multimap<std::string, Bytes> options;
};

// [as=CLIENT:SEQUENCE] [atomic] OPERATION [| OPERATION…], where an operation is
//   put KEY [value= expect= session= identity= partition= deltas=1,2 index=NAME:KEY… override-version= override-modifications=
//            ttl= keep-ttl=yes]
//   delete KEY [expect=]
//   delete-range START END
//   if KEY exists|absent|version=N       a guard, of an atomic batch
// Owns what the request borrows.
struct ParsedWrite {
  explicit ParsedWrite(const std::vector<std::string>& operations);
  WriteRequest request() const {
    if (!atomic) return {puts, deletes, delete_ranges};
    return {puts, deletes, delete_ranges, true, guards, steps};
  }

  std::deque<Bytes> texts;
  std::deque<std::vector<std::uint64_t>> deltas;
  std::deque<std::vector<SecondaryIndex>> indexes;
  std::vector<Put> puts;
  std::vector<Delete> deletes;
  std::vector<DeleteRange> delete_ranges;
  bool atomic = false;
  std::vector<Guard> guards;
  std::vector<Step> steps;   // told only for atomic batches: others have an order of their own
  std::optional<RequestId> id;

 private:
  BytesView keep(Bytes text) { return texts.emplace_back(std::move(text)); }
  std::optional<BytesView> keep(std::optional<Bytes> text);
  void add_put(Words& words);
  void add_guard(Words& words);
  void add(Words& words);
};

std::string show(const Version& version);

}  // namespace skerry::store::testing
