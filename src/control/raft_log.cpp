// SPDX-License-Identifier: Apache-2.0
#include "control/raft_log.hpp"

#include "base/assert.hpp"

namespace skerry::control {

RaftLog::RaftLog(EntryId base, std::deque<RaftEntry> entries) : base_(base), entries_(std::move(entries)) {
  for (const RaftEntry& entry : entries_) bytes_ += entry.payload->size();
}

const RaftEntry& RaftLog::at(Offset offset) const {
  SKERRY_ASSERT(holds(offset));
  return entries_[static_cast<std::size_t>(offset.value() - first().value())];
}

std::optional<Term> RaftLog::term_of(Offset offset) const {
  if (offset == base_.offset) return base_.term;
  return holds(offset) ? std::optional(at(offset).term) : std::nullopt;
}

EntryId RaftLog::newest_before(const EntryId& entry) const {
  Offset offset = std::min(last(), entry.offset.previous());
  while (offset > base_.offset && at(offset).term > entry.term) offset = offset.previous();
  return offset > base_.offset ? EntryId{at(offset).term, offset} : base_;
}

void RaftLog::append(RaftEntry entry) {
  bytes_ += entry.payload->size();
  entries_.push_back(std::move(entry));
}

void RaftLog::cut_above(Offset last_kept) {
  SKERRY_ASSERT(last_kept >= base_.offset);
  while (last() > last_kept) {
    bytes_ -= entries_.back().payload->size();
    entries_.pop_back();
  }
}

void RaftLog::install(EntryId entry) {
  entries_.clear();
  bytes_ = 0;
  base_ = entry;
}

void RaftLog::drop_before(Offset first_kept) {
  SKERRY_ASSERT(first_kept <= last().next());
  while (first() < first_kept) {
    base_ = {entries_.front().term, first()};
    bytes_ -= entries_.front().payload->size();
    entries_.pop_front();
  }
}

}  // namespace skerry::control
