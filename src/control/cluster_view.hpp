// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "control/coordinator_core.hpp"
#include "skerry/control/v1/admin.pb.h"

namespace skerry::control {

// What operators see of a cluster: its status as decided, and what was last heard of nodes and replicas. All but the
// coordinator's own epoch and address.
v1::Cluster cluster_view(const CoordinatorCore& core);
v1::Cluster nodes_view(const CoordinatorCore& core);   // its nodes alone

}   // namespace skerry::control
