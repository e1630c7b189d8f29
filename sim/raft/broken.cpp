// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/broken.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"

namespace {
std::optional<skerry::control::RaftRule> broken;
}

void skerry::sim::break_rule(std::optional<control::RaftRule> rule) { broken = rule; }

bool skerry::control::kept(RaftRule rule) { return broken != rule; }

// In place of the one in base, which ends the process.
void skerry::assertion_failed(const char* condition, const char* file, int line) {
  throw sim::BrokenAssertion{fmt::format("{}:{}: {}", file, line, condition)};
}
