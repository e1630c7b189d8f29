// SPDX-License-Identifier: Apache-2.0
#include "replica/session_expiry.hpp"

#include <algorithm>
#include <utility>

namespace skerry::replica {

void SessionExpiry::advance(TimePoint now) {
  counted_ += std::clamp<Duration>(now - last_call_, Duration::zero(), 2 * session_tick);
  last_call_ = std::max(last_call_, now);
}

void SessionExpiry::set_due(SessionId id, Session& session) {
  queue_.erase({session.due, id});
  session.due = counted_ + session.timeout;
  session.suspected.reset();
  queue_.emplace(session.due, id);
}

void SessionExpiry::created(SessionId session, Duration timeout, TimePoint now) {
  advance(now);
  ended(session);
  set_due(session, sessions_.emplace(session, Session{.timeout = timeout, .due = {}, .suspected = {}}).first->second);
}

void SessionExpiry::ended(SessionId session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  queue_.erase({found->second.due, session});
  sessions_.erase(found);
}

bool SessionExpiry::decided(SessionId session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second.decided;
}

bool SessionExpiry::heartbeat(SessionId session, TimePoint now) {
  advance(now);
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || found->second.decided) return false;
  set_due(session, found->second);
  return true;
}

std::vector<SessionId> SessionExpiry::tick(TimePoint now, std::size_t count_max) {
  advance(now);
  const bool stood_still = now - std::exchange(last_tick_, now) > 2 * session_tick;
  std::vector<SessionId> decided;
  for (auto next = queue_.begin(); next != queue_.end() && next->first <= counted_ && decided.size() < count_max;) {
    const SessionId id = next->second;
    Session& session = sessions_.at(id);
    if (!session.suspected || stood_still) session.suspected = now;
    if (*session.suspected == now) {
      ++next;
      continue;
    }
    session.decided = true;
    decided.push_back(id);
    next = queue_.erase(next);
  }
  return decided;
}

void SessionExpiry::retry(const std::vector<SessionId>& sessions) {
  for (const SessionId id : sessions) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || !found->second.decided) continue;
    found->second.decided = false;
    queue_.emplace(found->second.due, id);
  }
}

}  // namespace skerry::replica
