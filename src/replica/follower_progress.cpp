// SPDX-License-Identifier: Apache-2.0
#include "replica/follower_progress.hpp"

#include <algorithm>

namespace skerry::replica {

bool FollowerProgress::has_room() const {
  switch (mode_) {
    case Mode::probing: return !asked_;
    case Mode::streaming:
      return entries_in_flight() < limits::follower_entries_in_flight_max && bytes_ < limits::follower_bytes_in_flight_max;
    case Mode::snapshot: return false;
  }
  return false;
}

bool FollowerProgress::lacks(Offset last, MembershipVersion version) const {
  return mode_ == Mode::probing || next_ <= last || version_sent_ < version;
}

void FollowerProgress::sent(const Append& append, std::size_t bytes, TimePoint now) {
  if (!waits()) waits_since_ = now;
  if (mode_ == Mode::probing) {
    asked_ = true;
    asked_after_ = append.previous.offset;
  }
  if (!append.empty()) {
    messages_.push_back({append.last, bytes});
    bytes_ += bytes;
    next_ = append.last.next();
  }
  commit_sent_ = std::max(commit_sent_, std::min(append.commit, append.last));
  version_sent_ = std::max(version_sent_, append.version);
}

void FollowerProgress::heard(const AppendAnswer& answer, TimePoint now) {
  acknowledged_in_ = std::max(acknowledged_in_, answer.incarnation);
  version_ = std::max(version_, answer.version);
  commit_ = std::max(commit_, answer.commit);
  waits_since_ = now;
}

void FollowerProgress::matched_to(Offset offset) {
  if (mode_ == Mode::snapshot && offset <= matched_) return;   // said before the snapshot was sent
  matched_ = std::max(matched_, offset);
  next_ = std::max(next_, matched_.next());
  mode_ = Mode::streaming;
  asked_ = false;
  while (oldest_ < messages_.size() && messages_[oldest_].last <= matched_) bytes_ -= messages_[oldest_++].bytes;
  if (oldest_ == messages_.size()) {
    messages_.clear();
    oldest_ = 0;
  } else if (oldest_ >= messages_.size() / 2) {
    messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(oldest_));
    oldest_ = 0;
  }
}

void FollowerProgress::missing(Offset asked, Offset next) {
  if (mode_ == Mode::snapshot || asked <= matched_) return;
  if (mode_ == Mode::probing && (!asked_ || asked != asked_after_)) return;   // the answer to an earlier message
  next_ = std::max(next, matched_.next());
  mode_ = Mode::probing;
  forget_in_flight();
}

void FollowerProgress::begin_snapshot() {
  mode_ = Mode::snapshot;
  forget_in_flight();
}

// What it has installed counts when it says so itself; until then it is only a good place to ask.
void FollowerProgress::end_snapshot(std::optional<Offset> installed) {
  probe();
  if (installed) next_ = std::max(next_, installed->next());
}

void FollowerProgress::probe() {
  if (mode_ != Mode::probing) next_ = matched_.next();
  if (mode_ == Mode::probing && asked_) next_ = asked_after_.next();
  mode_ = Mode::probing;
  forget_in_flight();
}

TimePoint FollowerProgress::patience_ends() const { return waits() ? waits_since_ + limits::append_patience : TimePoint::max(); }

bool FollowerProgress::waits() const {
  if (mode_ != Mode::streaming) return asked_;
  return matched_.next() < next_ || commit_ < commit_sent_ || version_ < version_sent_;
}

void FollowerProgress::forget_in_flight() {
  asked_ = false;
  messages_.clear();
  oldest_ = 0;
  bytes_ = 0;
  commit_sent_ = commit_;
  version_sent_ = version_;
}

}  // namespace skerry::replica
