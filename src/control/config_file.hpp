// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <variant>
#include <vector>

#include "control/cluster_config.hpp"

namespace skerry::control {

// What a coordinator does about its configuration file, which several coordinators each have one of, while the cluster has one
// configuration. Pure; its owner reads and writes the file.
//
// A file that is saved while its coordinator is in office is taken. One that nobody has touched since it agreed with the cluster
// follows it, also when that was before this life of its coordinator: it holds a former configuration. Any other that differs
// counts for nothing, and is told of.
class ConfigFile {
 public:
  enum class Keeper : std::uint8_t {
    alone,   // changes the configuration alone: what was saved while it was away is news, too
    several,   // what differs may as well be older than what others have changed since
  };
  explicit ConfigFile(Keeper keeper) : keeper_(keeper) {}

  // --- what happens
  void read(ClusterConfig content);   // for the first time, or because the file was saved
  void unusable();   // the same, and it can't be read or followed
  void entered_office();
  void wrote(ClusterConfig content);   // its owner

  // --- what to do now
  struct Take {
    ClusterConfig config;
  };
  struct Write {
    ClusterConfig config;
  };
  struct Tell {};   // that it differs; once for each time that it comes to that
  using Step = std::variant<std::monostate, Take, Write, Tell>;
  enum class Office : bool { out, in };
  struct Stored {
    ClusterConfig config;
    std::vector<std::uint64_t> former;   // fingerprints of those before
  };
  // `stored`: the cluster's configuration; nothing: there is none, or none is known.
  Step next(const std::optional<Stored>& stored, Office office);

 private:
  bool follows(const Stored& stored) const;

  const Keeper keeper_;
  std::optional<ClusterConfig> content_;
  bool seen_ = false;   // the file, good or bad
  bool saved_ = false;   // and that has not been dealt with
  bool in_step_ = false;   // nobody has touched it since it agreed
  bool untouched_ = false;   // since it was read for the first time
  bool told_ = false;
};

}   // namespace skerry::control
