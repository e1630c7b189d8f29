// SPDX-License-Identifier: Apache-2.0
#include "node/admin_namespaces.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "control/cluster_config.hpp"
#include "node/public_server.hpp"
#include "runtime/event.hpp"

namespace skerry::node {
namespace {

constexpr std::string_view first_namespace = "default";
// How long running requests may keep the records of a deleted namespace; then they wait for the next deletion or start.
constexpr auto patience_with_requests = 10s;

Error no_such_namespace(const std::string& name) {
  return {Errc::not_found, fmt::format("there is no namespace {}", printable(name))};
}

}  // namespace

std::shared_ptr<const serve::Assignments> assignments_of(const ClusterStatus& status, std::size_t cores) {
  auto assignments = std::make_shared<serve::Assignments>();
  for (const auto& [name, space] : status.namespaces) {
    std::vector<serve::ShardPlace>& places = assignments->namespaces[name];
    for (const auto& [id, shard] : space.shards) {
      places.push_back({.shard = id,
                        .hash_min = shard.hashes.min,
                        .hash_max = shard.hashes.max,
                        .core = Storage::core_of(shard.node, cores),
                        .leader = {}});
    }
  }
  return assignments;
}

struct NamespaceAdmin::Outcome {
  explicit Outcome(Core& core) : done(core) {}
  Event done;
  Result<> result;
};

NamespaceAdmin::NamespaceAdmin(AppletContext& context, DataFolder* folder)
    : context_(context), log_(context.log("admin")), folder_(folder), disk_(context.core), turn_(context.core, 1),
      tasks_(context.core) {}

Task<Result<>> NamespaceAdmin::start() {
  if (context_.core.id() == CoreId{0} && !folder_->status().deleting.empty()) tell(co_await delete_shards());
  co_return Result<>{};
}

Task<> NamespaceAdmin::stop() {
  *self_ = nullptr;
  co_await tasks_.join();
}

ClusterStatus NamespaceAdmin::status() const { return folder_->status(); }

Task<Result<>> NamespaceAdmin::create(NewNamespace wish) { co_return co_await apart(make(std::move(wish))); }

Task<Result<>> NamespaceAdmin::set_notifications(std::string name, bool enabled) {
  co_return co_await apart(switch_notifications(std::move(name), enabled));
}

Task<Result<>> NamespaceAdmin::remove(std::string name) { co_return co_await apart(unmake(std::move(name))); }

// A caller who is cancelled lets go of the outcome, not of the change.
Task<Result<>> NamespaceAdmin::apart(Task<Result<>> change) {
  const auto outcome = std::make_shared<Outcome>(context_.core);
  tasks_.spawn(carry_out(std::move(change), outcome));
  co_await outcome->done.wait();
  co_return std::move(outcome->result);
}

Task<> NamespaceAdmin::carry_out(Task<Result<>> change, std::shared_ptr<Outcome> outcome) {
  if (const auto turn = co_await turn_.acquire(); turn) {
    outcome->result = co_await std::move(change);
  } else {
    outcome->result = fail(turn.error());
  }
  outcome->done.set();
}

Result<> NamespaceAdmin::check_new(const NewNamespace& wish) const {
  TRYV(control::check_namespace_name(wish.name));
  const ClusterStatus& status = folder_->status();
  if (restoring_.contains(wish.name)) {
    return fail(Errc::already_exists, fmt::format("namespace \"{}\" is just being restored", wish.name));
  }
  if (status.namespaces.contains(wish.name)) {
    return fail(Errc::already_exists, fmt::format("namespace \"{}\" exists already", wish.name));
  }
  if (wish.shards == 0 || wish.shards > limits::namespace_shards_max) {
    return fail(Errc::invalid_argument, fmt::format("namespace \"{}\" can't have {} shards: ask for 1 to {}", wish.name,
                                                    wish.shards, limits::namespace_shards_max));
  }
  if (status.namespaces.size() + restoring_.size() >= limits::cluster_namespaces_max) {
    return fail(Errc::resource_exhausted, fmt::format("there are {} namespaces, the limit", status.namespaces.size()));
  }
  return {};
}

Task<Result<>> NamespaceAdmin::make(NewNamespace wish) {
  CO_TRYV(check_new(wish));
  ClusterStatus status = folder_->status();
  status.add_namespace(wish.name, control::split_hashes(wish.shards), wish.order, wish.notifications);
  for (auto& [id, shard] : status.namespaces.at(wish.name).shards) shard.term = shard.term.next();
  CO_TRYV(co_await folder_->replace_status(disk_, std::move(status)));
  CO_TRYV(co_await open_made(wish.name));
  log_.info("made a namespace", {{"namespace", wish.name}, {"shards", wish.shards}});
  co_return Result<>{};
}

// It stands in the status document.
Task<Result<>> NamespaceAdmin::open_made(std::string name) {
  if (const Result<> opened = co_await open_shards(name); !opened) {
    log_.error("a namespace was not made", {{"namespace", name}, {"reason", opened.error()}});
    ClusterStatus without = folder_->status();
    without.remove_namespace(name);
    CO_TRYV(co_await folder_->replace_status(disk_, std::move(without)));
    co_await retire_shards();
    tasks_.spawn(delete_in_background());
    co_return fail(opened.error());
  }
  co_await publish();
  co_return Result<>{};
}

// --- restoring

NamespaceRestore::~NamespaceRestore() {
  if (planned_ && *admin_ != nullptr) (*admin_)->let_go(name_);
}

Task<Result<NamespaceAdmin::Restore>> NamespaceAdmin::begin_restore(NewNamespace wish) {
  const std::string name = wish.name;
  // The plan holds the place, too: whoever is cancelled meanwhile lets go of what the plan makes.
  const auto place =
      std::make_shared<ForeignPtr<NamespaceRestore>>(context_.core, std::make_unique<NamespaceRestore>(self_, name));
  CO_TRYV(co_await apart(plan_restore(std::move(wish), place)));
  co_return Restore{place, restoring_.at(name)};
}

Task<Result<>> NamespaceAdmin::plan_restore(NewNamespace wish, RestorePlace place) {
  CO_TRYV(check_new(wish));
  ClusterStatus status = folder_->status();
  status.add_namespace(wish.name, wish.hashes, wish.order, wish.notifications);
  restoring_[wish.name] = status.namespaces.at(wish.name);
  status.remove_namespace(wish.name);
  auto planned = co_await folder_->replace_status(disk_, std::move(status));
  (*place)->planned_ = planned.has_value();
  if (!planned) restoring_.erase(wish.name);
  co_return planned;
}

Task<Result<>> NamespaceAdmin::finish_restore(std::string name) { co_return co_await apart(commit_restore(std::move(name))); }

Task<Result<>> NamespaceAdmin::commit_restore(std::string name) {
  const auto found = restoring_.find(name);
  if (found == restoring_.end()) co_return fail(Errc::aborted, "the restore was ended");
  ClusterStatus status = folder_->status();
  for (auto& [id, shard] : found->second.shards) {
    status.deleting.erase(id);
    shard.term = shard.term.next();
  }
  status.namespaces[name] = found->second;
  CO_TRYV(co_await folder_->replace_status(disk_, std::move(status)));
  const NamespaceStatus space = std::move(found->second);
  restoring_.erase(found);
  co_await end_restore(space);
  CO_TRYV(co_await open_made(name));
  log_.info("restored a namespace", {{"namespace", name}});
  co_return Result<>{};
}

void NamespaceAdmin::let_go(const std::string& name) {
  const auto found = restoring_.find(name);
  if (found == restoring_.end()) return;   // it was finished
  log_.warn("a restore ended early; what it brought is deleted", {{"namespace", name}});
  tasks_.spawn(drop_restore(found->second));
  restoring_.erase(found);
}

Task<> NamespaceAdmin::drop_restore(NamespaceStatus space) {
  co_await end_restore(std::move(space));
  co_await delete_in_background();
}

Task<> NamespaceAdmin::end_restore(NamespaceStatus space) {
  const auto& storage = context_.sharded<Storage>();
  for (const auto& [id, shard] : space.shards) co_await storage.invoke_on(core_of(shard.node), &Storage::end_restore, id);
}

bool NamespaceAdmin::is_restoring(ShardId shard) const {
  return std::ranges::any_of(restoring_, [shard](const auto& each) { return each.second.shards.contains(shard); });
}

// ---

Task<Result<>> NamespaceAdmin::open_shards(std::string name) {
  const auto& storage = context_.sharded<Storage>();
  const NamespaceStatus space = folder_->status().namespaces.at(name);
  for (const auto& [id, shard] : space.shards) {
    CO_TRYV(co_await storage.invoke_on(core_of(shard.node), &Storage::add, id, name, space));
  }
  co_return Result<>{};
}

Task<Result<>> NamespaceAdmin::switch_notifications(std::string name, bool enabled) {
  ClusterStatus status = folder_->status();
  const auto found = status.namespaces.find(name);
  if (found == status.namespaces.end()) co_return fail(no_such_namespace(name));
  if (std::exchange(found->second.notifications, enabled) == enabled) co_return Result<>{};
  CO_TRYV(co_await folder_->replace_status(disk_, status));
  const auto& storage = context_.sharded<Storage>();
  for (const auto& [id, shard] : found->second.shards) {
    co_await storage.invoke_on(core_of(shard.node), &Storage::allow_followers, id, enabled);
  }
  log_.info("changed a namespace", {{"namespace", name}, {"notifications", enabled}});
  co_return Result<>{};
}

Task<Result<>> NamespaceAdmin::unmake(std::string name) {
  ClusterStatus status = folder_->status();
  if (!status.namespaces.contains(name)) co_return fail(no_such_namespace(name));
  if (name == first_namespace) {
    co_return fail(Errc::invalid_argument,
                   "namespace \"default\" belongs to every store and can't be deleted; delete its records with delete-range");
  }
  status.remove_namespace(name);
  CO_TRYV(co_await folder_->replace_status(disk_, std::move(status)));
  co_await publish();
  co_await retire_shards();
  log_.info("deleted a namespace; its records follow", {{"namespace", name}});
  tasks_.spawn(delete_in_background());
  co_return Result<>{};
}

Task<> NamespaceAdmin::delete_in_background() {
  const auto turn = co_await turn_.acquire();
  if (!turn) co_return;
  tell(co_await delete_shards());
}

void NamespaceAdmin::tell(const Result<>& deleted) const {
  if (!deleted) {
    log_.warn("records of a deleted namespace are left; the next deletion or start goes on", {{"reason", deleted.error()}});
  }
}

Task<> NamespaceAdmin::retire_shards() {
  const auto& storage = context_.sharded<Storage>();
  const auto retiring = folder_->status().deleting;
  for (const auto& [id, node] : retiring) co_await storage.invoke_on(core_of(node), &Storage::retire, id, node);
}

// Goes on after a failure, which is the one returned.
Task<Result<>> NamespaceAdmin::delete_shards() {
  const auto& storage = context_.sharded<Storage>();
  ClusterStatus status = folder_->status();
  const TimePoint deadline = context_.core.now() + patience_with_requests;
  Result<> outcome;
  for (auto each = status.deleting.begin(); each != status.deleting.end();) {
    const auto [id, node] = *each;
    if (is_restoring(id)) {
      ++each;
      continue;
    }
    const Result<> gone = co_await storage.invoke_on(core_of(node), &Storage::forget, id, node, deadline);
    each = gone ? status.deleting.erase(each) : std::next(each);
    if (!gone) outcome = fail(gone.error());
  }
  CO_TRYV(co_await folder_->replace_status(disk_, std::move(status)));
  co_return outcome;
}

Task<> NamespaceAdmin::publish() {
  const auto assignments = assignments_of(folder_->status(), context_.cores().size());
  co_await context_.sharded<PublicServer>().invoke_on_all(&PublicServer::set_assignments, assignments);
}

}  // namespace skerry::node
