// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/raft_sim.hpp"

#include <algorithm>

#include "sim/raft/broken.hpp"

namespace skerry::sim {

using namespace control;

namespace {

constexpr Duration recovery_max = 10s;   // from the end of all faults to equal members, one in office
constexpr Duration pause_max = 800ms;

}  // namespace

RaftSim::RaftSim(RaftSimOptions options)
    : MessageSim(options.seed, options.print), options_(options), plan_(RaftPlan::draw(random_)),
      network_(schedule_, random_, trace_, plan_), oracle_(1), around_{schedule_, network_, oracle_, random_, trace_, plan_} {
  break_rule(options.broken);
  around_.may_crash = [this](RaftMember member, Duration within) { may_crash(member, within); };
  around_.may_fall_silent = [this](RaftMember member) { may_fall_silent(member); };
}

RaftSim::~RaftSim() { break_rule(std::nullopt); }

RaftSimReport RaftSim::run() {
  try {
    found();
    chaos();
    run_until(oracle_, TimePoint(plan_.chaos));
    heal();
    settle();
    stay_settled();
  } catch (const BrokenAssertion& broken) {
    oracle_.fail(broken.what);
  }
  report_.failure = oracle_.failure();
  report_.trace_hash = trace_.hash();
  report_.events = events_;
  report_.crashes = crashes_;
  report_.writes = oracle_.writes();
  report_.reads = oracle_.reads();
  report_.entries = oracle_.last(the_log).value() + 1;
  report_.terms = around_.leaders.size();
  return report_;
}

// --- the story

void RaftSim::found() {
  for (RaftMember self{0}; self.value() < plan_.members; self = self.next()) {
    members_.push_back(std::make_unique<RaftSimMember>(around_, self, clock_error(plan_, random_)));
    network_.attach(self, [one = members_.back().get()](const RaftSent& message) { one->receive(message); });
  }
  for (const auto& member : members_) member->boot();
}

void RaftSim::chaos() {
  every(plan_.write_every, [this] { write(); });
  every(3ms, [this] { read(); });
  every(plan_.snapshot_every, [this] { any().snapshot(); });
  every(plan_.resign_every, [this] { any().resign(); });
  every(plan_.sit_every, [this] { any().sit_for(Duration(random_.below(1'000'000'000))); });
  every(plan_.crash_every, [this] {
    const bool at_once = random_.chance(plan_.restarts_at_once);
    crash(any(), Duration(random_.below(at_once ? 5'000'000 : 1'000'000'000)));
  });
  every(plan_.partition_every, [this] { cut_some(); });
  every(plan_.pause_every, [this] {
    if (RaftSimMember& member = any(); member.responds())
      member.pause(schedule_.now() + Duration(random_.below(static_cast<std::uint64_t>(pause_max.count()))));
  });
  every(plan_.slow_disk_every,
        [this] { any().slow_disk(random_.chance(0.5) ? 500us : Duration(1ms) + Duration(random_.below(400'000'000))); });
}

void RaftSim::may_crash(RaftMember member, Duration within) {
  if (healed_ || !random_.chance(plan_.bad_moments)) return;
  schedule_.after(Duration(random_.below(static_cast<std::uint64_t>(within.count()))), [this, member] {
    if (!healed_) crash(*members_[member.value()], Duration(random_.below(2'000'000)));
  });
}

void RaftSim::may_fall_silent(RaftMember member) {
  if (healed_ || !random_.chance(plan_.bad_moments)) return;
  for (const auto& other : members_) {
    if (other->self() != member && random_.chance(0.8)) network_.cut(member, other->self());
  }
  schedule_.after(Duration(random_.below(400'000'000)), [this] { network_.heal(); });
}

// A member from most others, or a single link.
void RaftSim::cut_some() {
  network_.heal();
  if (random_.chance(0.3)) return;
  const RaftSimMember& member = any();
  if (random_.chance(plan_.single_links)) return network_.cut_link(member.self(), any().self());
  for (const auto& other : members_) {
    if (other->self() != member.self() && random_.chance(0.8)) network_.cut_link(member.self(), other->self());
  }
}

void RaftSim::heal() {
  healed_ = true;
  note("heal", 0);
  network_.heal();
  network_.behave();
  for (const auto& member : members_) {
    if (!member->up()) member->boot();
    member->slow_disk(500us);
  }
  written_ = oracle_.last(the_log);
}

// --- clients

void RaftSim::write() {
  for (const auto& member : members_) {
    if (member->up() && !random_.chance(0.3)) member->write(++values_);
  }
}

void RaftSim::read() {
  int holders = 0;
  for (const auto& member : members_) {
    if (!member->up()) continue;
    for (const auto& other : members_) member->check_belief_in(*other);
    if (!member->in_office()) continue;
    ++holders;
    member->read();
  }
  if (holders > 1) oracle_.fail("two are in office at once");
}

// --- afterwards

void RaftSim::settle() {
  const TimePoint late = schedule_.now() + recovery_max;
  while (oracle_.failure().empty() && !all_is_well()) {
    if (schedule_.now() >= late) oracle_.fail("faults have stopped, and still nobody is in office or not all are equal");
    write();
    read();
    run_until(oracle_, schedule_.now() + 20ms);
  }
}

// Without faults nobody has a reason to stand against the leader. What was sent before may still come for a while, and who was
// paused may know of a later term.
void RaftSim::stay_settled() {
  run_until(oracle_, schedule_.now() + plan_.lateness_max + pause_max);
  settle();
  if (!oracle_.failure().empty()) return;
  const Term term = in_office()->core().term();
  for (const TimePoint until = schedule_.now() + 3s; schedule_.now() < until && oracle_.failure().empty();) {
    run_until(oracle_, schedule_.now() + 20ms);
    read();
    if (in_office() == nullptr || in_office()->core().term() != term) oracle_.fail("a leader that everybody heard was replaced");
  }
}

RaftSimMember* RaftSim::in_office() const {
  const auto found = std::ranges::find_if(members_, [](const auto& member) { return member->in_office(); });
  return found == members_.end() ? nullptr : found->get();
}

bool RaftSim::all_is_well() const {
  if (in_office() == nullptr || oracle_.acknowledged(the_log) <= written_) return false;
  const Offset last(oracle_.last(the_log).value() - 20);   // writes go on
  return std::ranges::all_of(members_, [last, term = in_office()->core().term()](const auto& member) {
    return member->applied() >= last && member->core().term() == term;
  });
}

}   // namespace skerry::sim
