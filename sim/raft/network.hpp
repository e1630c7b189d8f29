// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "control/raft_messages.hpp"
#include "sim/lossy_network.hpp"

namespace skerry::sim {

struct RaftSent {
  control::RaftMember from, to;
  control::RaftMessage content;
};
std::string describe(const RaftSent& message);

using RaftNetwork = LossyNetwork<RaftSent, control::RaftMember>;

}   // namespace skerry::sim
