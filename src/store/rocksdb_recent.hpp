// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <unordered_set>
#include <vector>

#include "base/bytes.hpp"

namespace skerry::store {

// What was loaded not long ago, the newest few thousand keys and moves of cursors: should one be evicted before it is used, the
// core waits for the disk after all, so that loading and evicting can't chase each other for ever. One shard's.
class RecentLoads {
 public:
  void add(std::vector<Bytes> loaded) {
    if (newer_.size() > loads_max) {
      older_ = std::move(newer_);
      newer_.clear();
    }
    for (Bytes& each : loaded) newer_.insert(std::move(each));
  }
  bool contains(const Bytes& load) const { return newer_.contains(load) || older_.contains(load); }

 private:
  static constexpr std::size_t loads_max = 4096;
  std::unordered_set<Bytes> newer_, older_;
};

}  // namespace skerry::store
