// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/metadata_change.hpp"
#include "runtime/task.hpp"

namespace skerry::control {

// Where coordinators keep the cluster's status, and how they agree who of them acts. A small ordered map that changes atomically
// and is durable before it answers. Lives on one core, the coordinator's.
class Metadata {
 public:
  virtual ~Metadata() = default;

  struct Office {
    std::int64_t epoch = 0;   // higher than of all who held it before
    MetadataItems items;   // everything, as of now
  };
  // Waits until this process may act, for as long as it takes, then tells what there is.
  virtual Task<Result<Office>> take_office() = 0;
  // Makes all of the changes, or none. In the order of the calls; may be called again before it returns.
  // Fails with aborted when another coordinator has taken office, io_failed when they can't be kept; after either this process
  // acts no more until it has taken office again, and whether they were kept is unknown. With resource_exhausted when the status
  // would be too large; nothing has changed then.
  virtual Task<Result<>> commit(std::vector<MetadataChange> changes) = 0;
  // Returns when this process must not act any more: lost to another, or given up. At once when it isn't in office.
  virtual Task<> wait_ousted() = 0;
  // Whose turn it is, as an address that people and tools can call; empty: unknown.
  virtual std::string holder() const = 0;
  // What is kept under this key, in office and out of it, as far as this process knows. Null: nothing, or nothing is known. Valid
  // until the next await.
  virtual const std::string* find(const std::string& key) const = 0;
  virtual Task<> stop() = 0;
};

}   // namespace skerry::control
