// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <deque>
#include <optional>

#include "control/raft_messages.hpp"

namespace skerry::control {

// The entries that a coordinator keeps in memory: those after `base`, which a snapshot stands for. A value.
class RaftLog {
 public:
  RaftLog() = default;
  explicit RaftLog(EntryId base, std::deque<RaftEntry> entries = {});

  EntryId base() const { return base_; }
  Offset first() const { return base_.offset.next(); }   // after last() when there is none
  Offset last() const { return Offset(base_.offset.value() + static_cast<std::int64_t>(entries_.size())); }
  EntryId head() const { return {entries_.empty() ? base_.term : entries_.back().term, last()}; }
  std::size_t bytes() const { return bytes_; }   // of payloads

  bool holds(Offset offset) const { return offset >= first() && offset <= last(); }
  const RaftEntry& at(Offset offset) const;   // requires: holds()
  std::optional<Term> term_of(Offset offset) const;   // also of the base
  bool has(const EntryId& entry) const { return term_of(entry.offset) == entry.term; }
  // The newest entry before this one and of no higher term: a log that has the entry, or one before, may have that.
  EntryId newest_before(const EntryId& entry) const;

  void append(RaftEntry entry);
  void cut_above(Offset last_kept);        // requires: not below the base
  void install(EntryId entry);             // nothing is kept
  void drop_before(Offset first_kept);     // requires: not beyond what follows the last

 private:
  EntryId base_{};
  std::deque<RaftEntry> entries_;
  std::size_t bytes_ = 0;
};

}   // namespace skerry::control
