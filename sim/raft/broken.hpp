// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "control/raft_rules.hpp"

namespace skerry::sim {

// From now on the coordinators' core breaks this rule, or none.
void break_rule(std::optional<control::RaftRule> rule);

// An assertion of the core failed: here that is a finding like any other, and not the end of the process.
struct BrokenAssertion {
  std::string what;
};

}   // namespace skerry::sim
