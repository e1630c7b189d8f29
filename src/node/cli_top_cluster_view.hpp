// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>

#include "base/time.hpp"
#include "skerry/control/v1/admin.pb.h"

// What `skerry top` shows of a cluster. Pure.
namespace skerry::node {

// What happened between two looks at one cluster. The second is shown. Requires: apart > 0.
struct ClusterLooks {
  const control::v1::Cluster& before;
  const control::v1::Cluster& after;
  Duration apart;
};

// Fits `lines` of a terminal: those shards come first that wait for something; what does not fit is counted in the last line.
std::string cluster_top_text(const ClusterLooks& looks, std::size_t lines);
std::string cluster_top_json(const ClusterLooks& looks);   // one line, without its end

}   // namespace skerry::node
