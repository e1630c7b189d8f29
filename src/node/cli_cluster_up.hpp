// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_cluster_plan.hpp"

namespace skerry::node {

// `skerry cluster up`: runs a whole cluster until Ctrl-C, or with `once` until every shard has a leader. The exit status.
int run_cluster_up(const ClusterUpOptions& options, bool once);

}   // namespace skerry::node
