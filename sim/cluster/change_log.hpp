// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "control/cluster_status.hpp"
#include "sim/cluster/history.hpp"

namespace skerry::sim {

// What one follower of all shards was told of puts, and whether that can be: of each key every put once and in order, but for
// those that a gap covers.
class ChangeLog {
 public:
  void changed(const std::string& key, VersionId version);
  // What is not known: changes of keys with these hashes.
  void missed(const control::HashRange& hashes);

  // Of puts that began after `since`. What can't have been, in words; empty when all is well.
  std::string violation(const History& history, TimePoint since) const;
  std::size_t size() const { return size_; }
  std::size_t gaps() const { return gaps_.size(); }

 private:
  struct Gap {
    control::HashRange hashes;
    std::size_t at;   // as many changes had been told
  };
  struct Told {
    VersionId version;
    std::size_t at;
  };
  bool covered(const std::string& key, std::size_t from, std::size_t to) const;

  std::map<std::string, std::vector<Told>> told_;   // by key
  std::vector<Gap> gaps_;
  std::size_t size_ = 0;
  std::string out_of_order_;
};

}   // namespace skerry::sim
