// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "control/raft_core.hpp"
#include "sim/raft/network.hpp"
#include "sim/raft/plan.hpp"
#include "sim/raft/store.hpp"
#include "sim/replicas/oracle.hpp"

namespace skerry::sim {

constexpr ShardId the_log{0};   // as the oracle calls the coordinators' log

// What everybody in a simulated group shares.
struct RaftSurroundings {
  Schedule& schedule;
  RaftNetwork& network;
  Oracle& oracle;
  Random& random;
  Trace& trace;
  const RaftPlan& plan;
  // With bad luck: that member crashes within the time and starts again soon; or its messages reach nobody for a while.
  std::function<void(control::RaftMember, Duration)> may_crash = nullptr;
  std::function<void(control::RaftMember)> may_fall_silent = nullptr;
  std::map<Term, control::RaftMember> leaders = {};   // who led in which term
};

// One coordinator: the driver of its core over a disk that forgets, on a clock of its own.
class RaftSimMember {
 public:
  RaftSimMember(RaftSurroundings& around, control::RaftMember self, int clock_error_ppm);

  void boot();
  void crash();
  void pause(TimePoint until) { paused_until_ = until; }
  void slow_disk(Duration sync_max) { sync_max_ = sync_max; }

  control::RaftMember self() const { return self_; }
  std::uint32_t number() const { return self_.value(); }
  bool up() const { return running_; }
  bool responds() const { return running_ && around_.schedule.now() >= paused_until_; }
  bool in_office() const { return responds() && core_->in_office(now()); }
  control::RaftCore& core() { return *core_; }
  Offset applied() const { return applied_.offset; }

  // --- what happens at it
  void receive(const RaftSent& message);
  void write(std::uint64_t value);
  void read();       // what a coordinator in office believes
  // What a leader believes of a follower must be so.
  void check_belief_in(const RaftSimMember& follower);
  void resign();
  void sit_for(Duration length);
  void snapshot();   // of what is applied

 private:
  using Effects = control::RaftEffects;
  bool holds_durably(const control::EntryId& entry) const;
  TimePoint now() const;   // of its own clock
  Duration in_true_time(Duration local) const;
  // In this life only, and not while paused.
  void later(Duration length, std::function<void()> what);
  void when_running(std::uint64_t life, const std::function<void()>& what);

  void carry_out(const Effects& effects);
  void change_log(const Effects& effects);
  void log(decltype(RaftRecord::what) what);
  void apply(Offset up_to);
  void check_leadership();
  void flush();
  void arm_tick();
  void begin_sync();
  void end_sync(std::size_t records);

  RaftSurroundings& around_;
  const control::RaftMember self_;
  const std::int64_t clock_error_ppm_;
  const Duration clock_began_;
  std::uint64_t life_ = 0;
  bool running_ = false;
  TimePoint paused_until_;
  std::unique_ptr<control::RaftCore> core_;
  RaftStore durable_;
  std::deque<RaftRecord> unsynced_;
  bool syncing_ = false;
  Duration sync_max_ = 500us;
  control::EntryId applied_;
  std::uint64_t state_ = 0;
  std::map<Offset, Term> proposed_;   // and not answered
  std::uint64_t arriving_ = 0;        // the state of the snapshot that is being taken
  TimePoint tick_armed_ = TimePoint::max();
};

}   // namespace skerry::sim
