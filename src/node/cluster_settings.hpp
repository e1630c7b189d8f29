// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "node/cluster_server.hpp"
#include "node/coordinator_role.hpp"
#include "node/serving_settings.hpp"

namespace skerry::node {

// Everything that can be set of `skerry server`. Oxia's data server files and flags are taken as they are.
class ClusterServerSettings {
 public:
  ClusterServerSettings();
  Settings& settings() { return settings_; }
  // After settings().load(): what is contradictory or malformed as a whole is found here.
  Result<ClusterServerOptions> options() const;
  Result<LogOptions> log_options() const { return serving_.log_options(); }

 private:
  Settings settings_;
  ServingSettings serving_;
  std::string internal_address_ = "127.0.0.1:6649";
  bool check_authority_ = true;
};

// Everything that can be set of `skerry coordinator`. Oxia's coordinator files and flags are taken as they are.
class CoordinatorSettings {
 public:
  CoordinatorSettings();
  Settings& settings() { return settings_; }
  Result<CoordinatorOptions> options() const;
  Result<LogOptions> log_options() const { return logging_.options(); }

 private:
  Settings settings_;
  LoggingSettings logging_;
  SecuritySettings security_;
  std::string public_address_ = "127.0.0.1:6651";
  std::string internal_address_ = "127.0.0.1:6650";
  std::string metrics_address_ = "127.0.0.1:8081";
  bool insecure_ = false;
  std::string provider_ = "file";
  std::string folder_ = "./metadata";
  std::string config_name_ = "cluster.yaml", config_file_;
  std::vector<std::string> raft_nodes_;
  std::string raft_address_, raft_cluster_ = "skerry";
};

}   // namespace skerry::node
