// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <vector>

#include "replica/membership.hpp"

namespace skerry::replica {

// Of which term each entry of a replica's log is. Terms only rise along a log, so the first offset of each is enough. What lies
// below a trimmed log or a snapshot is not known, but for the entry right before the first kept one.
class TermHistory {
 public:
  TermHistory() = default;
  // The first known entry of each term, rising in both.
  explicit TermHistory(std::vector<EntryId> firsts);

  // Entries of this term begin here, unless they did before. Requires: nothing behind it, no higher term.
  void append(Term term, Offset first);
  void truncate(Offset last_kept);
  // Nothing but this entry is known, as after a snapshot.
  void reset(EntryId entry);
  void trim(Offset first_kept);

  // Nothing when unknown; no_term before the first entry of all. Requires: the log reaches there.
  std::optional<Term> term_of(Offset offset) const;
  // The last entry of the same term as this one, in a log that ends at `last`.
  Offset end_of_term(Offset offset, Offset last) const;
  // The newest entry up to `last` whose term is not above; no_offset when none is known.
  EntryId newest(Term not_above, Offset last) const;
  std::size_t terms() const { return firsts_.size(); }

 private:
  std::vector<EntryId>::const_iterator after(Offset offset) const;
  std::vector<EntryId> firsts_;
};

}   // namespace skerry::replica
