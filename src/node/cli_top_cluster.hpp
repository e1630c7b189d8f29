// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "node/cli_connection.hpp"

namespace skerry::node {

struct ClusterTopFlags : ConnectionFlags {   // the address is a coordinator's
  Duration interval{};
  bool json = false, once = false;
};

// `skerry top --coordinator`: until Ctrl-C, or after two looks. The exit status.
int run_cluster_top(const ClusterTopFlags& flags);

// Of standard output, where it is a terminal.
std::size_t terminal_lines();
constexpr std::size_t lines_without_terminal = 10'000;

}   // namespace skerry::node
