// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "store/key_order.hpp"

namespace skerry::control {

// Keeps a shard's replicas apart: no two on servers that agree in one of the labels.
struct AntiAffinity {
  enum class Mode : std::uint8_t {
    strict,    // rather not placed at all
    relaxed,   // where it can be
  };
  std::vector<std::string> labels;
  Mode mode = Mode::strict;
  friend bool operator==(const AntiAffinity&, const AntiAffinity&) = default;
};

struct NamespaceConfig {
  std::string name;
  std::uint32_t shards = 1;     // when it is created
  std::uint32_t replicas = 1;   // of each shard
  bool notifications = true;
  store::KeyOrder order = store::KeyOrder::hierarchical;   // when it is created
  std::vector<AntiAffinity> anti_affinities{};
  friend bool operator==(const NamespaceConfig&, const NamespaceConfig&) = default;
};

struct ServerConfig {
  std::string name;   // may be empty
  std::string public_address, internal_address;
  // What it is called everywhere: a server without a name is known by its internal address.
  const std::string& identity() const { return name.empty() ? internal_address : name; }
  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

struct LoadBalancer {
  Duration interval = 30s;
  Duration quarantine = 5min;   // the longest that a server which failed is given no leaders
  friend bool operator==(const LoadBalancer&, const LoadBalancer&) = default;
};

struct CoordinatorConfig {
  std::string name, public_address;
  friend bool operator==(const CoordinatorConfig&, const CoordinatorConfig&) = default;
};

struct AutoSplit {
  bool enabled = false;
  std::uint32_t shard_mebibytes_max = 1024;
  std::uint32_t shard_operations_max = 10'000;   // per second
  Duration stable = 1min;                        // above a bound for as long as this
  Duration cooldown = 5min;                      // between two of one namespace
  std::uint32_t shards_max = 64;                 // of a namespace
  Duration interval = 30s;
  friend bool operator==(const AutoSplit&, const AutoSplit&) = default;
};

using Labels = std::map<std::string, std::string>;

// What people want of a cluster: its namespaces and servers, in the words and the YAML of Oxia's cluster configuration. A value;
// who watches the file, and who writes what the admin API has changed, is elsewhere.
struct ClusterConfig {
  std::vector<NamespaceConfig> namespaces;
  std::vector<ServerConfig> servers;
  std::vector<std::string> extra_authorities;
  std::map<std::string, Labels> labels;   // of servers, by identity
  LoadBalancer balancer;
  std::vector<CoordinatorConfig> coordinators;
  AutoSplit auto_split;

  // Fails with invalid_argument; the text names the line, what is wrong there and the remedy.
  static Result<ClusterConfig> from_yaml(const std::string& text);
  // What from_yaml() reads back. Comments of the text it was read from are gone.
  std::string to_yaml() const;
  // What no single line shows: names and addresses twice, more replicas than servers, labels that no server has.
  // Fails with invalid_argument.
  Result<> check() const;

  const NamespaceConfig* find_namespace(std::string_view name) const;
  const ServerConfig* find_server(std::string_view identity) const;
  const Labels& labels_of(std::string_view identity) const;   // none: empty

  // Changes of the admin API. They fail with already_exists, not_found and, when the whole would not pass check(),
  // invalid_argument; nothing is changed then.
  Result<> add(NamespaceConfig added);
  Result<> replace(NamespaceConfig changed);   // of this name; not shards and order, which are fixed at its creation
  Result<> remove_namespace(std::string_view name);
  Result<> add(ServerConfig added, Labels its_labels);
  Result<> replace(ServerConfig changed, Labels its_labels);   // of this identity
  Result<> remove_server(std::string_view identity);

  friend bool operator==(const ClusterConfig&, const ClusterConfig&) = default;
};

// Letters, digits, '_', '.', '-', first a letter or digit, no "..". Fails with invalid_argument and the rule.
Result<> check_namespace_name(const std::string& name);

}   // namespace skerry::control
