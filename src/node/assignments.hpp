// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "control/node_messages.hpp"
#include "serve/shard_directory.hpp"

namespace skerry::node {

// What clients are told, as the services keep it, of what the coordinator says. Shards that `self` leads are found on `core`.
std::shared_ptr<const serve::Assignments> assignments_of(const control::v1::Assignments& told, NodeId self, CoreId core);

}   // namespace skerry::node
