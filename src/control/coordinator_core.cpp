// SPDX-License-Identifier: Apache-2.0
#include "control/coordinator_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "control/desk.hpp"
#include "control/elections.hpp"
#include "control/growth.hpp"
#include "control/leadership.hpp"
#include "control/member_steps.hpp"
#include "control/planning.hpp"
#include "control/publisher.hpp"
#include "control/repairs.hpp"
#include "control/reshapes.hpp"
#include "control/restores.hpp"
#include "control/roster.hpp"

namespace skerry::control {

bool Effects::empty() const {
  return attend.empty() && bind.empty() && give_up.empty() && let_go.empty() && !commit && calls.empty() && publish.empty() &&
         notes.empty();
}

// The parts, in the order in which they need each other; and how an event goes through them.
struct CoordinatorCore::Parts {
  Parts(ClusterStatus status, std::int64_t epoch) : desk(std::move(status)), publisher(desk, epoch) {}

  void begin(TimePoint now);
  void follow(ClusterConfig config);
  void settle();
  void look(ShardId shard);
  void sweep(ShardId shard);

  Desk desk;
  Elections elections{desk};
  Leadership leadership{desk, elections};
  MemberSteps steps{desk};
  Reshapes reshapes{desk, elections, steps};
  Roster roster{desk};
  Planning planning{desk, leadership};
  Repairs repairs{desk, leadership, roster, reshapes};
  Growth growth{desk, reshapes};
  Restores restores{desk};
  Publisher publisher;
  std::map<std::string, std::string> broken{};   // calls that have broken, with the reason, until their servers report again
};

void CoordinatorCore::Parts::begin(TimePoint now) {
  desk.now = std::max(desk.now, now);
  desk.detector.tick(desk.now);
}

void CoordinatorCore::Parts::follow(ClusterConfig config) {
  desk.book.set_configuration(config.to_yaml());
  desk.detector.set_distrust_max(config.balancer.quarantine);
  desk.config = std::move(config);
  roster.configured();
  restores.configured();
  planning.configured();
}

// Until nothing more comes of what has happened.
void CoordinatorCore::Parts::settle() {
  for (const NodeId node : desk.detector.take_failed()) {
    desk.warn(fmt::format("{} has failed", desk.name_of(node)));
    desk.look_at_shards_of(node);
  }
  growth.look();
  for (;;) {
    while (const auto shard = desk.next_due()) look(*shard);
    if (!desk.take_plan_soon() && desk.now < planning.next_look()) break;
    planning.look();
    repairs.look();
    roster.sweep();
  }
  publisher.publish();
}

void CoordinatorCore::Parts::look(ShardId id) {
  const ShardStatus* shard = desk.book.find(id);
  if (shard == nullptr) return;
  if (shard->state == ShardState::deleting) {
    elections.forget(id);
    if (shard->removed.empty()) return sweep(id);
  }
  elections.look(id);
  leadership.look(id);
  for (const ShardId led : elections.take_finished()) {
    leadership.took_the_lead(led);
    steps.took_the_lead(led);
  }
  steps.look(id);
  reshapes.look(id);
}

// All its replicas are deleted.
void CoordinatorCore::Parts::sweep(ShardId id) {
  const std::string name = desk.book.find(id)->name_space;
  desk.book.erase(id);
  leadership.forget(id);
  steps.forget(id);
  reshapes.forget(id);
  desk.reports.forget(id);
  const auto& shards = desk.book.status().shards;
  const bool last = std::ranges::none_of(shards, [&](const auto& each) { return each.second.name_space == name; });
  if (last && desk.book.find(name)->deleting) desk.book.erase(name);
  desk.structure_changed();
  desk.plan_soon();
}

// --- office

CoordinatorCore::CoordinatorCore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
CoordinatorCore::~CoordinatorCore() = default;

Result<std::unique_ptr<CoordinatorCore>> CoordinatorCore::take_office(const Metadata::Office& office, Options options,
                                                                      TimePoint now) {
  TRY(ClusterStatus status, ClusterStatus::from_items(office.items));
  std::optional<ClusterConfig> config;
  if (!status.configuration.empty()) {
    auto kept = ClusterConfig::from_yaml(status.configuration);
    if (!kept) return fail(Errc::corrupt, fmt::format("the cluster's status: its configuration: {}", kept.error().text));
    config = *std::move(kept);
  }
  auto parts = std::make_unique<Parts>(std::move(status), office.epoch);
  if (parts->desk.book.status().instance.empty()) {
    SKERRY_ASSERT(!options.fresh_instance.empty());
    parts->desk.book.set_instance(std::move(options.fresh_instance));
    parts->desk.structure_changed();
  }
  parts->begin(now);
  parts->roster.take_office();
  parts->reshapes.take_office();
  parts->restores.take_office();
  if (config) parts->follow(*std::move(config));
  parts->desk.look_at_all();
  parts->settle();
  return std::unique_ptr<CoordinatorCore>(new CoordinatorCore(std::move(parts)));
}

Effects CoordinatorCore::take_effects() {
  Effects effects = std::exchange(parts_->desk.effects, {});
  effects.commit = parts_->desk.book.take_commit();
  return effects;
}

// --- what happens

Result<CommitNumber> CoordinatorCore::configured(ClusterConfig config, TimePoint now) {
  TRYV(config.check());
  for (const NamespaceConfig& wanted : config.namespaces) {
    const NamespaceStatus* known = parts_->desk.book.find(wanted.name);
    if (known != nullptr && !known->deleting && known->order != wanted.order) {
      return fail(Errc::invalid_argument,
                  fmt::format("the namespace {} was created with another order of keys, which can't change: set keySorting back",
                              wanted.name));
    }
  }
  TRYV(parts_->restores.check(config));
  parts_->begin(now);
  parts_->follow(std::move(config));
  parts_->settle();
  return parts_->desk.book.changed();
}

void CoordinatorCore::stored(CommitNumber number, TimePoint now) {
  parts_->begin(now);
  parts_->desk.stored(number);
  parts_->roster.stored();
  parts_->settle();
}

void CoordinatorCore::greeted(const std::string& name, Greeting greeting, TimePoint now) {
  parts_->begin(now);
  Desk& desk = parts_->desk;
  if (const auto node = parts_->roster.greeted(name, greeting)) {
    if (desk.detector.greeted(*node, greeting.incarnation, now)) parts_->leadership.restarted(*node);
    desk.reports.greeted(*node, std::move(greeting));
    parts_->publisher.greeted(*node);
    desk.look_at_shards_of(*node);
    desk.plan_soon();
  }
  parts_->settle();
}

void CoordinatorCore::reported(const std::string& name, NodeReport report, TimePoint now) {
  parts_->begin(now);
  Desk& desk = parts_->desk;
  if (const auto node = parts_->roster.standing(name)) {
    parts_->broken.erase(name);
    const bool first = !desk.reports.is_complete(*node);
    const bool responded = desk.detector.responds(*node);
    desk.detector.heard(*node, report.disk_silence, report.unheard, now);
    desk.reports.reported(*node, report, now);
    parts_->roster.reported(*node, report.damage);
    for (const ReplicaReport& each : report.replicas) {
      parts_->elections.reported(each.shard, *node, each);
      desk.look_at(each.shard);
    }
    if (first || responded != desk.detector.responds(*node)) desk.look_at_shards_of(*node);
  }
  parts_->settle();
}

void CoordinatorCore::broke(const std::string& name, const std::string& why, TimePoint now) {
  parts_->begin(now);
  if (const auto node = parts_->desk.book.node_of(name)) {
    const auto [known, first] = parts_->broken.try_emplace(name, why);
    if (first || std::exchange(known->second, why) != why) {
      parts_->desk.inform(fmt::format("the standing call to {} broke: {}", name, why));
    }
    parts_->roster.broke(name);
    parts_->publisher.left(*node);
    parts_->desk.detector.broke(*node, now);
  }
  parts_->settle();
}

void CoordinatorCore::connect_failed(const std::string& name, const std::string& why, TimePoint now) {
  parts_->begin(now);
  if (const auto node = parts_->desk.book.node_of(name)) {
    if (parts_->desk.detector.condition(*node) != NodeCondition::failed) {
      parts_->desk.inform(fmt::format("{} can't be reached: {}", name, why));
    }
    parts_->roster.unreached(name, why);
    parts_->desk.detector.connect_failed(*node, now);
  }
  parts_->settle();
}

void CoordinatorCore::replied(const NodeCall& call, const NodeReply& reply, TimePoint now) {
  parts_->begin(now);
  const auto asks = [&call]<class... What>(std::type_identity<What>...) {
    return (std::holds_alternative<What>(call.what) || ...);
  };
  using std::type_identity;
  if (asks(type_identity<FenceReplica>(), type_identity<replica::BecomeLeader>())) parts_->elections.replied(call, reply);
  if (asks(type_identity<replica::ChangeMembers>(), type_identity<DeleteReplica>())) parts_->steps.replied(call, reply);
  parts_->reshapes.replied(call, reply);
  for (const ShardId led : parts_->elections.take_finished()) {
    parts_->leadership.took_the_lead(led);
    parts_->steps.took_the_lead(led);
  }
  parts_->settle();
}

void CoordinatorCore::tick(TimePoint now) {
  parts_->begin(now);
  parts_->settle();
}

TimePoint CoordinatorCore::next_tick() const {
  return std::min(
      {parts_->desk.detector.next_tick(), parts_->desk.next_look(), parts_->planning.next_look(), parts_->growth.next_look()});
}

// --- what people wish

Result<CommitNumber> CoordinatorCore::drain(NodeId node, TimePoint now) {
  Desk& desk = parts_->desk;
  const NodeStatus* known = desk.book.find(node);
  if (known == nullptr) return fail(Errc::not_found, fmt::format("there is no node {}", node.value()));
  if (known->draining) return desk.book.changed();
  parts_->begin(now);
  TRYV(parts_->planning.check_drain(node));
  desk.book.edit(node).draining = true;
  desk.plan_soon();
  parts_->settle();
  return desk.book.changed();
}

Result<CommitNumber> CoordinatorCore::undrain(NodeId node, TimePoint now) {
  Desk& desk = parts_->desk;
  const NodeStatus* known = desk.book.find(node);
  if (known == nullptr) return fail(Errc::not_found, fmt::format("there is no node {}", node.value()));
  parts_->begin(now);
  if (known->draining) desk.book.edit(node).draining = false;
  desk.plan_soon();
  parts_->settle();
  return desk.book.changed();
}

Result<CommitNumber> CoordinatorCore::move_replica(Move move, TimePoint now) {
  TRYV(check_shard(move.shard));
  parts_->begin(now);
  TRYV(parts_->planning.move_replica(move.shard, move.from, move.to));
  parts_->settle();
  return parts_->desk.book.changed();
}

Result<CommitNumber> CoordinatorCore::transfer_leader(ShardId shard, NodeId to, TimePoint now) {
  TRYV(check_shard(shard));
  Desk& desk = parts_->desk;
  const ShardStatus& known = *desk.book.find(shard);
  if (known.reshaped_with) {
    return fail(Errc::unavailable, fmt::format("{} is being split or merged: wait until that has ended", desk.name_of(shard)));
  }
  if (!known.members.votes(to)) {
    return fail(Errc::invalid_argument,
                fmt::format("{} has no vote in {}: move a replica there first", desk.name_of(to), desk.name_of(shard)));
  }
  parts_->begin(now);
  if (!desk.detector.responds(to)) return fail(Errc::unavailable, fmt::format("{} does not answer", desk.name_of(to)));
  parts_->leadership.wish_transfer(shard, to);
  parts_->settle();
  return desk.book.changed();
}

Result<CoordinatorCore::Begun> CoordinatorCore::split_shard(ShardId shard, std::optional<std::uint32_t> point, TimePoint now) {
  TRYV(check_shard(shard));
  parts_->begin(now);
  TRY(auto children, parts_->reshapes.split(shard, point));
  parts_->settle();
  return Begun{parts_->desk.book.changed(), std::move(children)};
}

Result<CoordinatorCore::Begun> CoordinatorCore::merge_shards(Neighbours parents, TimePoint now) {
  TRYV(check_shard(parents.left));
  TRYV(check_shard(parents.right));
  parts_->begin(now);
  TRY(auto children, parts_->reshapes.merge(parents.left, parents.right));
  parts_->settle();
  return Begun{parts_->desk.book.changed(), std::move(children)};
}

Result<CommitNumber> CoordinatorCore::cancel_reshape(ShardId shard, TimePoint now) {
  TRYV(check_shard(shard));
  parts_->begin(now);
  TRYV(parts_->reshapes.cancel(shard));
  parts_->settle();
  return parts_->desk.book.changed();
}

Result<CommitNumber> CoordinatorCore::delete_namespace(const std::string& name, TimePoint now) {
  const NamespaceStatus* known = parts_->desk.book.find(name);
  if (known == nullptr) return fail(Errc::not_found, fmt::format("there is no namespace {}", name));
  parts_->begin(now);
  if (!known->deleting) parts_->planning.delete_namespace(name);
  parts_->settle();
  return parts_->desk.book.changed();
}

Result<> CoordinatorCore::check_restore(const RestoreWish& wish) const {
  if (!parts_->desk.config) return fail(Errc::unavailable, "the cluster has no configuration yet");
  return parts_->restores.check_new(wish.name);
}

Result<CoordinatorCore::RestoreBegun> CoordinatorCore::begin_restore(const RestoreWish& wish, TimePoint now) {
  TRYV(check_restore(wish));
  parts_->begin(now);
  const auto shards = static_cast<std::uint32_t>(wish.hashes.size());
  TRY(const auto placed, parts_->planning.place(shards, {.replicas = wish.replicas.value_or(1)}));
  RestoreStatus restore{.order = wish.order};
  for (std::uint32_t i = 0; i < shards; ++i) {
    // One of those that will have it, another each time; that answers, if any does.
    std::vector<NodeId> possible = placed[i];
    std::erase_if(possible, [this](NodeId node) { return !parts_->desk.detector.responds(node); });
    if (possible.empty()) possible = placed[i];
    restore.parts.push_back({.shard = {}, .hashes = wish.hashes[i], .node = possible[i % possible.size()]});
  }
  const RestoreStatus& begun = parts_->restores.begin(wish.name, std::move(restore));
  parts_->settle();
  return RestoreBegun{parts_->desk.book.changed(), begun.parts};
}

Result<> CoordinatorCore::complete_restore(const std::string& name, const std::map<ShardId, Term>& terms) {
  return parts_->restores.complete(name, terms);
}

void CoordinatorCore::give_up_restore(const std::string& name, TimePoint now) {
  parts_->begin(now);
  parts_->restores.give_up(name);
  parts_->settle();
}

Result<> CoordinatorCore::check_shard(ShardId shard) const {
  const ShardStatus* known = parts_->desk.book.find(shard);
  if (known == nullptr) return fail(Errc::not_found, fmt::format("there is no shard {}", shard.value()));
  if (known->state == ShardState::deleting)
    return fail(Errc::unavailable, fmt::format("{} is being deleted", parts_->desk.name_of(shard)));
  return {};
}

// --- what is

const ClusterStatus& CoordinatorCore::status() const { return parts_->desk.book.status(); }
const ClusterConfig* CoordinatorCore::config() const { return parts_->desk.config ? &*parts_->desk.config : nullptr; }
CommitNumber CoordinatorCore::durable() const { return parts_->desk.book.durable(); }
NodeCondition CoordinatorCore::condition(NodeId node) const { return parts_->desk.detector.condition(node); }
const NodeUsage* CoordinatorCore::usage(NodeId node) const { return parts_->desk.reports.usage(node); }
const Greeting* CoordinatorCore::greeting(NodeId node) const { return parts_->desk.reports.greeting(node); }
const ReplicaReport* CoordinatorCore::report(ShardId shard, NodeId node) const { return parts_->desk.reports.find(shard, node); }
bool CoordinatorCore::serves(ShardId id) const {
  const ShardStatus* const shard = parts_->desk.book.find(id);
  if (shard == nullptr || !shard->leader || !parts_->leadership.is_led(*shard)) return false;
  const ReplicaReport* const told = report(id, *shard->leader);
  return told != nullptr && told->role == ReplicaReport::Role::leader && told->serving;
}
std::string CoordinatorCore::trouble(const std::string& name) const {
  std::string trouble = parts_->roster.trouble(name);
  const auto broken = parts_->broken.find(name);   // and has not reported since, as one of another cluster never does
  if (trouble.empty() && broken != parts_->broken.end()) trouble = "ended the standing call: " + broken->second;
  const auto node = parts_->desk.book.node_of(name);
  const std::string kept = node ? parts_->repairs.why_kept(*node) : std::string();
  return kept.empty() ? trouble : fmt::format("{}; kept as it is: {}", trouble, kept);
}
std::string CoordinatorCore::why_missing(const std::string& name_space) const { return parts_->planning.why_missing(name_space); }

std::string CoordinatorCore::why_not_yet(ShardId id) const {
  const ShardStatus* shard = parts_->desk.book.find(id);
  if (shard == nullptr) return "there is no such shard";
  if (shard->state != ShardState::deleting) {
    if (std::string why = parts_->leadership.why_not_yet(id); !why.empty()) return why;
  }
  if (std::string why = parts_->reshapes.why_not_yet(id); !why.empty()) return why;
  if (std::string why = parts_->steps.why_not_yet(id); !why.empty()) return why;
  return parts_->planning.why_not_yet(id);
}

std::string CoordinatorCore::why_given_up(ShardId id) const { return parts_->reshapes.why_given_up(id); }

std::string CoordinatorCore::why_not_drained(NodeId node) const {
  int shards = 0;
  std::string first;
  for (const auto& [id, shard] : status().shards) {
    const bool holds = shard.members.has(node) || std::ranges::find(shard.removed, node) != shard.removed.end();
    if (!holds) continue;
    ++shards;
    if (first.empty()) {
      const std::string why = why_not_yet(id);
      if (!why.empty()) first = fmt::format("; {} {}", parts_->desk.name_of(id), why);
    }
  }
  return shards == 0 ? std::string() : fmt::format("{} replicas are still there{}", shards, first);
}

}  // namespace skerry::control
