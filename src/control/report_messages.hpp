// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "control/node_call.hpp"
#include "control/node_report.hpp"
#include "control/published.hpp"
#include "skerry/control/v1/control.pb.h"

// Between skerry.control.v1 and the words of the coordinator.
namespace skerry::control {

Greeting read(const v1::Greeting& greeting);
NodeReport read(const v1::Report& report);
v1::Usage write(const NodeUsage& usage);
v1::Nodes write(const NodeAddresses& nodes);
v1::Holdings write(const Holdings& holdings);
v1::Assignments write(const Assignments& assignments);
v1::NewTermRequest write(ShardId shard, const FenceReplica& fence);

}   // namespace skerry::control
