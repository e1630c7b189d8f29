// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/result.hpp"
#include "node/cluster_server.hpp"
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

}   // namespace skerry::node
