// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "control/desk.hpp"

namespace skerry::control {

// Namespaces that are made from backups. A restore begins with numbers and places for its shards; others bring the states there.
// When all have come, the configuration that has the namespace makes it, at once and with all of them; each shard is led by the
// one replica that it has, and gets the others like any that has too few. Until then nobody sees anything of it, and what ends
// early, at the latest when another coordinator takes office, is deleted.
class Restores {
 public:
  explicit Restores(Desk& desk) : desk_(desk) {}

  void take_office();
  // Whether what has come can become a part of it now.
  Result<> check(const ClusterConfig& config) const;
  void configured();   // desk.config has changed

  // Whether a restore of that name may begin: already_exists and the reason.
  Result<> check_new(const std::string& name) const;
  // Requires: check_new(). The parts have no numbers yet.
  const RestoreStatus& begin(const std::string& name, RestoreStatus restore);
  // All parts have come, with the terms that they know. Fails with aborted when the restore of these shards was given up.
  Result<> complete(const std::string& name, const std::map<ShardId, Term>& terms);
  void give_up(const std::string& name);   // nothing if it was not begun, or has become a namespace

 private:
  void adopt(const NamespaceConfig& wanted, const std::map<ShardId, Term>& terms);

  Desk& desk_;
  std::map<std::string, std::map<ShardId, Term>> complete_;
};

}   // namespace skerry::control
