// SPDX-License-Identifier: Apache-2.0
#include "control/restores.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::control {
namespace {

ShardStatus shard_of(const std::string& name, const RestoreStatus::Part& part) {
  ShardStatus shard{.name_space = name, .hashes = part.hashes};
  shard.members.version = MembershipVersion(1);
  shard.members.voters = {part.node};
  return shard;
}

}  // namespace

void Restores::take_office() {
  while (!desk_.book.status().restores.empty()) {
    const std::string name = desk_.book.status().restores.begin()->first;   // outlives what it names
    give_up(name);
  }
}

Result<> Restores::check(const ClusterConfig& config) const {
  for (const auto& [name, terms] : complete_) {
    if (config.find_namespace(name) == nullptr) continue;
    for (const RestoreStatus::Part& part : desk_.book.find_restore(name)->parts) {
      const NodeStatus* const node = desk_.book.find(part.node);
      if (node != nullptr && !node->lost && !node->removed) continue;
      return fail(Errc::aborted,
                  fmt::format("{} was lost or left the cluster while the namespace {} was restored there: restore it again",
                              desk_.name_of(part.node), name));
    }
  }
  return {};
}

void Restores::configured() {
  for (const NamespaceConfig& wanted : desk_.config->namespaces) {
    const auto found = complete_.find(wanted.name);
    if (found == complete_.end()) continue;
    adopt(wanted, found->second);
    complete_.erase(found);
  }
}

void Restores::adopt(const NamespaceConfig& wanted, const std::map<ShardId, Term>& terms) {
  const RestoreStatus restore = desk_.book.end_restore(wanted.name);
  desk_.book.add(wanted.name,
                 {.replicas = wanted.replicas, .notifications = wanted.notifications, .order = restore.order, .deleting = false});
  for (const RestoreStatus::Part& part : restore.parts) {
    ShardStatus shard = shard_of(wanted.name, part);
    shard.term = terms.at(part.shard);
    desk_.book.add(part.shard, std::move(shard));
    desk_.look_at(part.shard);
  }
  desk_.structure_changed();
  desk_.plan_soon();
  desk_.inform(fmt::format("the namespace {} is restored, with {} shards", wanted.name, restore.parts.size()));
}

Result<> Restores::check_new(const std::string& name) const {
  TRYV(check_namespace_name(name));
  if (desk_.book.find_restore(name) != nullptr) {
    return fail(Errc::already_exists, fmt::format("the namespace {} is just being restored", name));
  }
  const NamespaceStatus* const known = desk_.book.find(name);
  if (known != nullptr && known->deleting) {
    return fail(Errc::unavailable, fmt::format("the former namespace {} is still being deleted: try again in a moment", name));
  }
  if (known == nullptr && (!desk_.config || desk_.config->find_namespace(name) == nullptr)) return {};
  return fail(Errc::already_exists, fmt::format("the namespace {} exists already: restore under another name", name));
}

const RestoreStatus& Restores::begin(const std::string& name, RestoreStatus restore) {
  for (RestoreStatus::Part& part : restore.parts) part.shard = desk_.book.reserve_shard();
  desk_.book.begin_restore(name, std::move(restore));
  desk_.inform(fmt::format("a restore of the namespace {} begins", name));
  return *desk_.book.find_restore(name);
}

Result<> Restores::complete(const std::string& name, const std::map<ShardId, Term>& terms) {
  const RestoreStatus* const restore = desk_.book.find_restore(name);
  const auto has_come = [&terms](const RestoreStatus::Part& part) { return terms.contains(part.shard); };
  if (restore == nullptr || !std::ranges::all_of(restore->parts, has_come)) {
    return fail(Errc::aborted, fmt::format("the restore of {} was given up", name));
  }
  complete_[name] = terms;
  return {};
}

void Restores::give_up(const std::string& name) {
  complete_.erase(name);
  if (desk_.book.find_restore(name) == nullptr) return;
  const RestoreStatus restore = desk_.book.end_restore(name);
  desk_.warn(fmt::format("the restore of the namespace {} ended early; what it brought is deleted", name));
  bool any = false;
  for (const RestoreStatus::Part& part : restore.parts) {
    if (desk_.book.find(part.node) == nullptr) continue;   // forgotten with all that it had
    if (!std::exchange(any, true)) desk_.book.add(name, {.order = restore.order, .deleting = true});
    desk_.book.add(part.shard, shard_of(name, part));
    desk_.retire(part.shard);
  }
}

}  // namespace skerry::control
