// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/cli_cluster_control.hpp"
#include "node/cli_cluster_links.hpp"
#include "node/cli_cluster_plan.hpp"
#include "node/cli_cluster_process.hpp"

namespace skerry::node {

// The processes of a local cluster and the links between them. One core's. start(), then look() now and then, stop() at the end.
class LocalCluster {
 public:
  // `say` is told what happens to members, a line each.
  LocalCluster(Core& core, net::Network& network, ClusterPlan plan, std::function<void(std::string)> say);
  ~LocalCluster();

  // Fails with already_exists when a port is taken, or another one runs in that folder; invalid_argument when the folder has a
  // cluster with other members, or another program's files; io_failed. Nothing runs then, and nothing of a cluster was made.
  Result<> start();
  // Ends the processes as a person would, and kills those that don't end.
  Task<> stop();

  // Tells of members that have ended by themselves since the last time, and gives the last of what it said; empty: there were
  // none.
  std::string look();
  Task<Result<std::string>> carry_out(ControlRequest request);

  const ClusterPlan& plan() const { return plan_; }
  // "running", "paused", "killed", "ended with status 1", and from whom it is cut off.
  std::string state_of(std::uint32_t member) const;

 private:
  struct Running {
    ChildProcess process;
    bool expected = false;   // to run
    bool killed = false;
  };
  Result<> check_folder() const;
  Result<> claim();
  Result<> check_plan() const;
  Result<> check_ports();
  Result<> prepare() const;
  Result<> launch(std::uint32_t member);
  Task<Result<std::string>> restart(std::uint32_t member);
  Result<std::string> kill(std::uint32_t member);
  Result<std::string> pause(std::uint32_t member);
  Result<std::string> resume(std::uint32_t member);
  Result<std::string> partition(std::uint32_t member, const ControlRequest& request);
  Result<std::string> heal(std::optional<std::uint32_t> member);
  Task<bool> await_end(std::uint32_t member, Duration patience);
  std::optional<std::uint32_t> caller_of(std::uint16_t port, std::uint16_t link_port) const;
  std::string log_file(std::uint32_t member) const { return plan_.members[member].folder + "/skerry.log"; }
  const std::string& name_of(std::uint32_t member) const { return plan_.members[member].name; }

  Core& core_;
  net::Network& network_;
  const ClusterPlan plan_;
  std::function<void(std::string)> say_;
  int claim_ = -1;
  std::vector<std::unique_ptr<Running>> running_;   // by number
  ClusterLinks links_;
};

}   // namespace skerry::node
