// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/stream.hpp"

namespace skerry::node {

struct ClusterUpOptions {
  std::uint32_t nodes = 3;
  std::uint32_t shards = 4;
  std::uint32_t replicas = 0;   // 0: three, or one on each node
  std::string folder = "./skerry-cluster";
  std::uint32_t base_port = 6648;
};

// Who is part of a local cluster, and where: what `skerry cluster up` starts. Pure. Ten ports for each node, from the base port
// on: the first is for its clients, the second its own internal one, the third the link by which others reach that, the fifth its
// metrics'. The coordinator takes the fourth, sixth and seventh of the first ten.
struct ClusterPlan {
  struct Member {
    std::uint32_t number = 0;   // 0: the coordinator
    std::string name;   // "node-1", "coordinator"
    std::string folder;
    net::Address public_address, internal_address, metrics_address;
    net::Address link;   // of nodes: the internal address that the cluster knows
    std::vector<std::string> command() const;   // of the program, without its own name
  };
  ClusterUpOptions options;
  std::vector<Member> members;   // by number

  // Fails with invalid_argument and says what is possible.
  static Result<ClusterPlan> make(ClusterUpOptions options);
  // "2", "node-2" or "coordinator". Fails with not_found.
  Result<std::uint32_t> find(const std::string& text) const;
  const Member& coordinator() const { return members.front(); }
  std::string config_file() const;
  std::string config_yaml() const;   // of the cluster
  // The flags that a folder keeps to, and where it has them written down.
  std::string made_with() const;
  std::string made_with_file() const { return options.folder + "/made-with"; }
  static bool owns(std::string_view name);   // in the folder
  std::string control_file() const { return options.folder + "/control"; }
};

}   // namespace skerry::node
