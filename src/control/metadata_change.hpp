// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>

namespace skerry::control {

// One thing that a coordinator keeps: "cluster", "configuration", "namespace/NAME", "shard/ID", "node/ID". Nothing: it is
// deleted.
struct MetadataChange {
  std::string key;
  std::optional<std::string> value;
};

using MetadataItems = std::map<std::string, std::string>;

}   // namespace skerry::control
