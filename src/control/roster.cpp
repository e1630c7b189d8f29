// SPDX-License-Identifier: Apache-2.0
#include "control/roster.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "control/node_lists.hpp"

namespace skerry::control {
void Roster::take_office() {
  for (const auto& [id, node] : desk_.book.status().nodes) {
    if (!node.lost) attend(id);
  }
}

void Roster::attend(NodeId id) {
  const NodeStatus& node = *desk_.book.find(id);
  Attendance attendance{.name = node.name, .internal_address = node.internal_address, .node = id};
  Attendance& known = attended_[node.name];
  desk_.detector.attend(id, desk_.now);
  if (known == attendance) return;
  if (known.internal_address != attendance.internal_address) standing_.erase(node.name);
  known = attendance;
  desk_.effects.attend.push_back(std::move(attendance));
}

void Roster::let_go(const std::string& name) {
  if (attended_.erase(name) == 0) return;
  standing_.erase(name);
  binding_.erase(name);
  giving_up_.erase(name);
  unconfirmed_.erase(name);
  troubles_.erase(name);
  unreached_.erase(name);
  desk_.effects.let_go.push_back(name);
}

// --- the configuration

void Roster::configured() {
  for (const ServerConfig& server : desk_.config->servers) take_server(server);
  for (const auto& [id, node] : desk_.book.status().nodes) {
    if (node.lost || node.removed || is_configured(node.name)) continue;
    desk_.inform(fmt::format("{} is no longer in the configuration: what it holds moves to others", node.name));
    desk_.book.edit(id).removed = true;
  }
  desk_.structure_changed();
}

void Roster::take_server(const ServerConfig& server) {
  std::optional<NodeId> id = desk_.book.node_of(server.identity());
  if (!id) id = find_renamed(server);
  if (!id) {
    NodeStatus fresh;
    fresh.name = server.identity();
    id = desk_.book.add(std::move(fresh));
  }
  const NodeStatus& known = *desk_.book.find(*id);
  NodeStatus node = known;
  node.public_address = server.public_address;
  node.internal_address = server.internal_address;
  node.removed = false;
  if (known.name != server.identity()) {
    let_go(known.name);
    desk_.book.rename(*id, server.identity());
    node.name = server.identity();
  }
  if (node != *desk_.book.find(*id)) desk_.book.edit(*id) = node;
  attend(*id);
}

// One of another name at this address, of which the configuration says nothing more.
std::optional<NodeId> Roster::find_renamed(const ServerConfig& server) const {
  for (const auto& [id, node] : desk_.book.status().nodes) {
    if (!node.lost && node.internal_address == server.internal_address && !is_configured(node.name)) return id;
  }
  return std::nullopt;
}

bool Roster::is_configured(const std::string& name) const { return desk_.config && desk_.config->find_server(name) != nullptr; }

// --- greetings

std::optional<NodeId> Roster::greeted(const std::string& name, const Greeting& greeting) {
  unreached_.erase(name);
  std::optional<NodeId> id = desk_.book.node_of(name);
  if (!id || !attended_.contains(name)) return std::nullopt;
  if (!greeting.damage.empty()) return greeted_damaged(name, *id, greeting);
  if (!greeting.bound) {
    begin_binding(name, *id, greeting);
    return std::nullopt;
  }
  if (*greeting.bound != *id) id = adopt(name, *id, *greeting.bound);
  if (!id) return std::nullopt;
  const NodeStatus& node = *desk_.book.find(*id);
  damaged_.erase(*id);
  if (!node.bound || node.pool != greeting.pool) {
    NodeStatus& edited = desk_.book.edit(*id);
    edited.bound = true;
    edited.pool = greeting.pool;
  }
  troubles_.erase(name);
  binding_.erase(name);
  unconfirmed_.erase(name);
  standing_.insert(name);
  return id;
}

void Roster::begin_binding(const std::string& name, NodeId id, const Greeting& greeting) {
  standing_.erase(name);
  if (desk_.book.find(id)->bound && !unconfirmed_.contains(name)) {
    desk_.warn(fmt::format("{} came back empty: node {} is lost with all that it held, and the server becomes a new node", name,
                           id.value()));
    id = lose(id);
  }
  if (!desk_.book.find(id)->bound) {
    NodeStatus& node = desk_.book.edit(id);
    node.bound = true;
    node.pool = greeting.pool;
    desk_.structure_changed();
  }
  unconfirmed_.insert(name);
  binding_[name] = desk_.book.changed();
  stored();
}

// The server stands for another node from now on.
NodeId Roster::lose(NodeId id) {
  NodeStatus next = *desk_.book.find(id);
  desk_.look_at_shards_of(id);
  desk_.book.lose(id);
  desk_.detector.forget(id);
  desk_.reports.forget(id);
  damaged_.erase(id);
  next.bound = false;
  next.damage.clear();
  const NodeId fresh = desk_.book.add(std::move(next));
  attend(fresh);
  desk_.plan_soon();
  return fresh;
}

void Roster::stored() {
  for (const auto& [name, given_up] : giving_up_) {
    if (desk_.is_stored(given_up.by)) desk_.effects.give_up.push_back({name, given_up.node});
  }
  std::erase_if(giving_up_, [this](const auto& each) { return desk_.is_stored(each.second.by); });
  for (const auto& [name, by] : binding_) {
    if (desk_.is_stored(by)) desk_.effects.bind.push_back(name);
  }
  std::erase_if(binding_, [this](const auto& each) { return desk_.is_stored(each.second); });
}

// --- damage

void Roster::reported(NodeId node, const std::string& damage) {
  if (damage.empty() || damaged_.contains(node)) return;
  desk_.warn(fmt::format("the disk of {} has damaged what it keeps: {}", desk_.name_of(node), damage));
  damaged_[node] = damage;
  desk_.plan_soon();
}

// It holds nothing that it can use: as good as not there. One that does not know who it is is whom the server stood for last.
std::optional<NodeId> Roster::greeted_damaged(const std::string& name, NodeId id, const Greeting& greeting) {
  NodeId self = greeting.bound.value_or(id);
  if (!greeting.bound && !desk_.book.find(id)->bound) {
    for (const auto& [former, node] : desk_.book.status().nodes)
      if (given_up(name, former) != nullptr) self = former;
  }
  if (given_up(name, self) != nullptr) {
    giving_up_[name] = {self, desk_.book.changed()};
    stored();
  } else if (self == id && desk_.book.find(id)->bound) {
    damaged_[id] = greeting.damage;
    desk_.plan_soon();
  }
  return refuse(name, id, fmt::format("is damaged: {}", greeting.damage));
}

// Null: it was not, or is not the server's.
const NodeStatus* Roster::given_up(const std::string& name, NodeId id) const {
  const NodeStatus* node = desk_.book.find(id);
  return node != nullptr && node->lost && !node->damage.empty() && node->name == name ? node : nullptr;
}

void Roster::give_up(NodeId id) {
  NodeStatus& node = desk_.book.edit(id);
  node.damage = damaged_.at(id);
  const std::string name = node.name;
  desk_.warn(
      fmt::format("node {} of {} is given up, since all its shards can do without it: the server puts the damaged folder aside, "
                  "becomes a new node and is filled by the others",
                  id.value(), name));
  standing_.erase(name);
  lose(id);
  giving_up_[name] = {id, desk_.book.changed()};
  stored();
}

// The server is a node already: one that the configuration calls otherwise now, and has at another address; or one that had left.
std::optional<NodeId> Roster::adopt(const std::string& name, NodeId placeholder, NodeId bound) {
  const NodeStatus* node = desk_.book.find(bound);
  if (node == nullptr && bound >= desk_.book.status().next_node) {
    return refuse(name, placeholder, fmt::format("is node {}, which this cluster has never had", bound.value()));
  }
  if (given_up(name, bound) != nullptr) {
    giving_up_[name] = {bound, desk_.book.changed()};
    stored();
    return refuse(name, placeholder,
                  fmt::format("is node {}, which was given up as damaged: it puts its folder aside", bound.value()));
  }
  if (node != nullptr && node->lost) {
    return refuse(name, placeholder, fmt::format("is node {}, which was given up as lost: empty its data folder", bound.value()));
  }
  if (node != nullptr && (!desk_.config || is_configured(node->name))) {
    return refuse(name, placeholder, fmt::format("is the server {}: correct the configuration's addresses", node->name));
  }
  if (desk_.book.find(placeholder)->bound) {
    return refuse(name, placeholder,
                  fmt::format("is node {} and was node {}: it has another's data folder", bound.value(), placeholder.value()));
  }
  NodeStatus wanted = *desk_.book.find(placeholder);
  wanted.bound = true;
  if (node != nullptr) {
    desk_.inform(fmt::format("{} is called {} now", node->name, name));
    wanted.pool = node->pool;
    wanted.draining = node->draining;
    let_go(node->name);
  }
  desk_.detector.forget(placeholder);
  if (is_named(placeholder)) {   // nobody was it: what was to be there finds another place
    desk_.look_at_shards_of(placeholder);
    desk_.book.lose(placeholder);
  } else {
    desk_.book.erase(placeholder);
  }
  if (node != nullptr) desk_.book.erase(bound);
  desk_.book.restore(bound, std::move(wanted));
  desk_.structure_changed();
  desk_.plan_soon();
  attend(bound);
  return bound;
}

std::nullopt_t Roster::refuse(const std::string& name, NodeId node, std::string why) {
  if (std::string& known = troubles_[name]; known != why) {
    desk_.warn(fmt::format("the server {} {}", name, why));
    known = std::move(why);
  }
  standing_.erase(name);
  desk_.detector.connect_failed(node, desk_.now);
  return std::nullopt;
}

void Roster::broke(const std::string& name) {
  standing_.erase(name);
  binding_.erase(name);
}

std::optional<NodeId> Roster::standing(const std::string& name) const {
  return standing_.contains(name) ? desk_.book.node_of(name) : std::nullopt;
}

std::string Roster::trouble(const std::string& name) const {
  if (const auto found = troubles_.find(name); found != troubles_.end()) return found->second;
  if (const auto node = desk_.book.node_of(name); node && damaged_.contains(*node)) {
    return fmt::format("is damaged: {}", damaged_.at(*node));
  }
  const auto found = unreached_.find(name);
  return found == unreached_.end() ? std::string() : fmt::format("can't be called: {}", found->second);
}

// --- leaving

bool Roster::is_named(NodeId node) const {
  return std::ranges::any_of(desk_.book.status().shards, [node](const auto& each) {
    const ShardStatus& shard = each.second;
    return shard.members.has(node) || shard.leader == node || holds(shard.wanted, node) || holds(shard.removed, node);
  });
}

void Roster::sweep() {
  std::vector<NodeId> leaving;
  for (const auto& [id, node] : desk_.book.status().nodes) {
    // One that was lost is remembered, should its folder appear again; one that never had a folder need not be.
    const bool leaves = node.lost ? !node.bound : node.removed;
    if (leaves && !is_named(id)) leaving.push_back(id);
  }
  for (const NodeId id : leaving) {
    const NodeStatus node = *desk_.book.find(id);
    desk_.inform(fmt::format("{} (node {}) holds nothing any more and is forgotten", node.name, id.value()));
    if (!node.lost) let_go(node.name);
    desk_.detector.forget(id);
    desk_.reports.forget(id);
    desk_.book.erase(id);
    desk_.structure_changed();
  }
}

}   // namespace skerry::control
