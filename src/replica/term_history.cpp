// SPDX-License-Identifier: Apache-2.0
#include "replica/term_history.hpp"

#include <algorithm>

namespace skerry::replica {

TermHistory::TermHistory(std::vector<EntryId> firsts) : firsts_(std::move(firsts)) {
  const auto rises = [](const EntryId& a, const EntryId& b) { return a.term >= b.term || a.offset >= b.offset; };
  SKERRY_ASSERT(std::ranges::adjacent_find(firsts_, rises) == firsts_.end());
}

void TermHistory::append(Term term, Offset first) {
  if (!firsts_.empty() && firsts_.back().term == term) return;
  SKERRY_ASSERT(firsts_.empty() || (firsts_.back().term < term && firsts_.back().offset < first));
  firsts_.push_back({term, first});
}

void TermHistory::truncate(Offset last_kept) {
  while (!firsts_.empty() && firsts_.back().offset > last_kept) firsts_.pop_back();
}

void TermHistory::reset(EntryId entry) {
  firsts_.clear();
  if (entry.offset != no_offset) firsts_.push_back(entry);
}

void TermHistory::trim(Offset first_kept) {
  const auto keep = after(first_kept.previous());
  if (keep != firsts_.begin()) firsts_.erase(firsts_.begin(), keep - 1);
}

std::optional<Term> TermHistory::term_of(Offset offset) const {
  if (offset == no_offset) return no_term;
  const auto next = after(offset);
  if (next == firsts_.begin()) return std::nullopt;
  return (next - 1)->term;
}

Offset TermHistory::end_of_term(Offset offset, Offset last) const {
  const auto next = after(offset);
  return next == firsts_.end() ? last : std::min(last, next->offset.previous());
}

EntryId TermHistory::newest(Term not_above, Offset last) const {
  for (auto first = firsts_.rbegin(); first != firsts_.rend(); ++first) {
    if (first->term > not_above || first->offset > last) continue;
    return {first->term, end_of_term(first->offset, last)};
  }
  return {};
}

// The first of the term that follows the one of this offset.
std::vector<EntryId>::const_iterator TermHistory::after(Offset offset) const {
  return std::ranges::upper_bound(firsts_, offset, {}, &EntryId::offset);
}

}  // namespace skerry::replica
