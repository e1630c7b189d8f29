// SPDX-License-Identifier: Apache-2.0
#include "control/cluster_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/limits.hpp"
#include "base/nearest.hpp"

namespace skerry::control {
namespace {

std::unexpected<Error> wrong(const std::string& why) {
  return fail(Errc::invalid_argument, "the cluster's configuration: " + why);
}

Result<> check_servers(const ClusterConfig& config) {
  if (config.servers.size() > limits::cluster_servers_max) {
    return wrong(fmt::format("{} servers are more than {}", config.servers.size(), limits::cluster_servers_max));
  }
  std::set<std::string> identities, addresses;
  for (const ServerConfig& server : config.servers) {
    if (!identities.insert(server.identity()).second)
      return wrong(fmt::format("two servers are called \"{}\"", server.identity()));
    for (const std::string& address : {server.public_address, server.internal_address}) {
      if (!addresses.insert(address).second) {
        return wrong(fmt::format("the address {} of the server \"{}\" is given twice: each server needs two of its own", address,
                                 server.identity()));
      }
    }
  }
  std::vector<std::string> known(identities.begin(), identities.end());
  for (const auto& [server, labels] : config.labels) {
    if (!identities.contains(server)) {
      return wrong(fmt::format("\"serverMetadata\" names \"{}\", which is not a server{}", server, did_you_mean(server, known)));
    }
  }
  return {};
}

Result<> check_namespace(const ClusterConfig& config, const NamespaceConfig& space) {
  TRYV(check_namespace_name(space.name));
  if (space.shards == 0 || space.shards > limits::namespace_shards_max) {
    return wrong(
        fmt::format("the namespace \"{}\" has {} shards: give 1 to {}", space.name, space.shards, limits::namespace_shards_max));
  }
  if (space.replicas == 0 || space.replicas > limits::replicas_max) {
    return wrong(
        fmt::format("the namespace \"{}\" has {} replicas: give 1 to {}", space.name, space.replicas, limits::replicas_max));
  }
  if (space.replicas > config.servers.size()) {
    return wrong(fmt::format(
        "the namespace \"{}\" wants {} replicas, and there are {} servers: add servers, or lower its replicationFactor",
        space.name, space.replicas, config.servers.size()));
  }
  std::set<std::string> labels;
  for (const auto& [server, its] : config.labels) {
    for (const auto& [label, value] : its) labels.insert(label);
  }
  const std::vector<std::string> known(labels.begin(), labels.end());
  for (const AntiAffinity& rule : space.anti_affinities) {
    for (const std::string& label : rule.labels) {
      if (labels.contains(label)) continue;
      return wrong(
          fmt::format("an anti-affinity of the namespace \"{}\" names the label \"{}\", which no server has in "
                      "\"serverMetadata\"{}",
                      space.name, label, did_you_mean(label, known)));
    }
  }
  return {};
}

Result<> check_coordinators(const ClusterConfig& config) {
  std::set<std::string> names, addresses;
  for (const CoordinatorConfig& each : config.coordinators) {
    if (!names.insert(each.name).second) return wrong(fmt::format("two coordinators are called \"{}\"", each.name));
    if (!addresses.insert(each.public_address).second) {
      return wrong(fmt::format("two coordinators have the address {}", each.public_address));
    }
  }
  return {};
}

template <class Values, class Key>
auto* find_in(Values& values, Key key) {
  const auto found = std::ranges::find_if(values, key);
  return found == values.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const ClusterConfig& config) {
  std::vector<std::string> names;
  for (const NamespaceConfig& each : config.namespaces) names.push_back(each.name);
  return names;
}

std::vector<std::string> identities_of(const ClusterConfig& config) {
  std::vector<std::string> names;
  for (const ServerConfig& each : config.servers) names.push_back(each.identity());
  return names;
}

std::unexpected<Error> no_namespace(const ClusterConfig& config, std::string_view name) {
  return fail(Errc::not_found, fmt::format("there is no namespace \"{}\"{}", name, did_you_mean(name, names_of(config))));
}

std::unexpected<Error> no_server(const ClusterConfig& config, std::string_view name) {
  return fail(Errc::not_found, fmt::format("there is no server \"{}\"{}", name, did_you_mean(name, identities_of(config))));
}

// Takes over what the change made of a copy, if that is a configuration.
Result<> adopt(ClusterConfig& config, ClusterConfig changed) {
  TRYV(changed.check());
  config = std::move(changed);
  return {};
}

}  // namespace

Result<> ClusterConfig::check() const {
  TRYV(check_servers(*this));
  if (namespaces.size() > limits::cluster_namespaces_max) {
    return wrong(fmt::format("{} namespaces are more than {}", namespaces.size(), limits::cluster_namespaces_max));
  }
  std::set<std::string> names;
  for (const NamespaceConfig& space : namespaces) {
    if (!names.insert(space.name).second) return wrong(fmt::format("two namespaces are called \"{}\"", space.name));
    TRYV(check_namespace(*this, space));
  }
  return check_coordinators(*this);
}

const NamespaceConfig* ClusterConfig::find_namespace(std::string_view name) const {
  return find_in(namespaces, [name](const NamespaceConfig& each) { return each.name == name; });
}

const ServerConfig* ClusterConfig::find_server(std::string_view identity) const {
  return find_in(servers, [identity](const ServerConfig& each) { return each.identity() == identity; });
}

const Labels& ClusterConfig::labels_of(std::string_view identity) const {
  static const Labels none;
  const auto found = labels.find(std::string(identity));
  return found == labels.end() ? none : found->second;
}

// --- changes

Result<> ClusterConfig::add(NamespaceConfig added) {
  if (find_namespace(added.name) != nullptr) {
    return fail(Errc::already_exists, fmt::format("the namespace \"{}\" exists already", added.name));
  }
  ClusterConfig changed = *this;
  changed.namespaces.push_back(std::move(added));
  return adopt(*this, std::move(changed));
}

Result<> ClusterConfig::replace(NamespaceConfig given) {
  ClusterConfig changed = *this;
  auto* known = find_in(changed.namespaces, [&](const NamespaceConfig& each) { return each.name == given.name; });
  if (known == nullptr) return no_namespace(*this, given.name);
  if (known->shards != given.shards || known->order != given.order) {
    return wrong(
        fmt::format("the number of shards and the order of keys of the namespace \"{}\" can't change: they are chosen when it is "
                    "created",
                    given.name));
  }
  *known = std::move(given);
  return adopt(*this, std::move(changed));
}

Result<> ClusterConfig::remove_namespace(std::string_view name) {
  if (find_namespace(name) == nullptr) return no_namespace(*this, name);
  std::erase_if(namespaces, [name](const NamespaceConfig& each) { return each.name == name; });
  return {};
}

Result<> ClusterConfig::add(ServerConfig added, Labels its_labels) {
  const std::string identity = added.identity();
  if (find_server(identity) != nullptr)
    return fail(Errc::already_exists, fmt::format("the server \"{}\" exists already", identity));
  ClusterConfig changed = *this;
  changed.servers.push_back(std::move(added));
  if (!its_labels.empty()) changed.labels[identity] = std::move(its_labels);
  return adopt(*this, std::move(changed));
}

Result<> ClusterConfig::replace(ServerConfig given, Labels its_labels) {
  const std::string identity = given.identity();
  ClusterConfig changed = *this;
  auto* known = find_in(changed.servers, [&](const ServerConfig& each) { return each.identity() == identity; });
  if (known == nullptr) return no_server(*this, identity);
  *known = std::move(given);
  changed.labels.erase(identity);
  if (!its_labels.empty()) changed.labels[identity] = std::move(its_labels);
  return adopt(*this, std::move(changed));
}

Result<> ClusterConfig::remove_server(std::string_view identity) {
  if (find_server(identity) == nullptr) return no_server(*this, identity);
  ClusterConfig changed = *this;
  std::erase_if(changed.servers, [identity](const ServerConfig& each) { return each.identity() == identity; });
  changed.labels.erase(std::string(identity));
  return adopt(*this, std::move(changed));
}

Result<> check_namespace_name(const std::string& name) {
  const auto plain = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool characters = std::ranges::all_of(name, [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
  if (!name.empty() && characters && plain(name.front()) && name.find("..") == std::string::npos) return {};
  return fail(Errc::invalid_argument,
              fmt::format("\"{}\" is not a namespace name: use letters, digits, '_', '.' and '-', start with a letter or digit, "
                          "and leave out \"..\"",
                          name));
}

}  // namespace skerry::control
