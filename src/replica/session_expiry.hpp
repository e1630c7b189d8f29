// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace skerry::replica {

constexpr Duration session_tick = 250ms;   // how often silent sessions are looked for

// Knows which sessions have been silent for too long. Pure; in memory only: a restart gives each its whole timeout again.
//
// Time in here is time during which heartbeats could be read: of a gap between two calls no more than two ticks count, so a
// stalled process, a suspended machine or a paused simulation ages nobody. And a session that is past its timeout is
// only suspected at one tick and ended at the next, so whatever was queued in the sockets has been read in between; unless the
// process stood still between the two: then it is only suspected again.
class SessionExpiry {
 public:
  explicit SessionExpiry(TimePoint now) : last_call_(now), last_tick_(now) {}

  void created(SessionId session, Duration timeout, TimePoint now);
  void ended(SessionId session);
  bool decided(SessionId session) const;   // whether tick() has named it
  // False when there is no such session, or its end is already decided.
  bool heartbeat(SessionId session, TimePoint now);
  // Sessions whose end is decided now, the longest silent first, at most `count_max`. They stay decided until ended() or retry().
  std::vector<SessionId> tick(TimePoint now, std::size_t count_max);
  // Their end could not be proposed: try again at the next tick.
  void retry(const std::vector<SessionId>& sessions);

  std::size_t size() const { return sessions_.size(); }

 private:
  struct Session {
    Duration timeout;
    Duration due;   // in counted time
    std::optional<TimePoint> suspected;
    bool decided = false;
  };
  void advance(TimePoint now);
  void set_due(SessionId id, Session& session);

  TimePoint last_call_, last_tick_;
  Duration counted_{};   // time that counts, since the start
  std::map<SessionId, Session> sessions_;
  std::set<std::pair<Duration, SessionId>> queue_;   // of sessions not decided, by when they are due
};

}   // namespace skerry::replica
