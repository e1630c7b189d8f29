// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include "base/result.hpp"

namespace skerry::node {

// Of a role that can't start: says why, and is its exit status, which the command line calls exit_failed.
inline int refuse_start(const Error& error) {
  fmt::print(stderr, "Error: {}\n", error.message());
  return 1;
}

// For what its configuration says, or a file that it names; as exit_usage.
inline int refuse_configuration(const Error& error) {
  refuse_start(error);
  return 2;
}

}   // namespace skerry::node
