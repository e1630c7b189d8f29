// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include "base/result.hpp"

namespace skerry::node {

constexpr int exit_failed = 1;

// Of a role that can't start: says why, and is its exit status.
inline int refuse_start(const Error& error) {
  fmt::print(stderr, "Error: {}\n", error.message());
  return exit_failed;
}

}   // namespace skerry::node
