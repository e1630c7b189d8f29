// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/cluster_status.hpp"

namespace skerry::control {

// What a backup is to become.
struct RestoreWish {
  std::string name;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  bool notifications = true;
  std::vector<HashRange> hashes{};   // of its shards, in order; together all hashes
  std::optional<std::uint32_t> replicas{};   // of each
};

}   // namespace skerry::control
