// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sim/message_sim.hpp"
#include "sim/raft/member.hpp"

namespace skerry::sim {

struct RaftSimReport {
  std::string failure;   // empty: all was as it must be
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0, writes = 0, reads = 0, terms = 0, crashes = 0;
  std::int64_t entries = 0;   // committed
};

// One to five coordinators that agree on a log while messages, disks, clocks and processes fail; then everything heals, and
// within a bound one must be in office, all must hold the same, and nobody may stand against it.
class RaftSim final : private MessageSim {
 public:
  explicit RaftSim(RaftSimOptions options);
  ~RaftSim();
  RaftSimReport run();

 private:
  void found();
  void chaos();
  void may_crash(control::RaftMember member, Duration within);
  void may_fall_silent(control::RaftMember member);
  void cut_some();
  void heal();
  void settle();
  void stay_settled();
  bool all_is_well() const;
  void write();
  void read();
  RaftSimMember& any() { return *members_[random_.below(members_.size())]; }
  RaftSimMember* in_office() const;

  const RaftSimOptions options_;
  const RaftPlan plan_;
  RaftNetwork network_;
  Oracle oracle_;
  RaftSurroundings around_;
  std::vector<std::unique_ptr<RaftSimMember>> members_;
  Offset written_ = no_offset;   // when faults stopped: must be exceeded
  std::uint64_t values_ = 0;
  RaftSimReport report_;
};

}   // namespace skerry::sim
