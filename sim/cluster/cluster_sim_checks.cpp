// SPDX-License-Identifier: Apache-2.0
// What must hold of a cluster when the faults are over.
#include <fmt/format.h>

#include <algorithm>

#include "base/hash.hpp"
#include "sim/cluster/cluster_sim.hpp"
#include "store/snapshot_source.hpp"

namespace skerry::sim {
namespace {

constexpr Duration patience = 45s;   // with what has to come by itself
constexpr Duration glance = 100ms;   // between two looks at what costs more

Task<> drain(store::SnapshotSource& source, bool& done) {
  while (*co_await source.next()) {}
  done = true;
}

}  // namespace

NodeMachine* ClusterSim::serving(ShardId id) const {
  for (const auto& node : nodes_) {
    const replica::Shard* shard = node->shard(id);
    if (shard != nullptr && shard->serves()) return node.get();
  }
  return nullptr;
}

// All shards are led, have as many replicas as are wanted, and wait for nothing.
std::string ClusterSim::why_not_level() const {
  const auto* core = office();
  if (core == nullptr) return "no coordinator is in office";
  if (core->status().shards.empty()) return "there are no shards";
  for (const auto& [id, shard] : core->status().shards) {
    const std::string waits = core->why_not_yet(id);
    const bool steady = shard.state == control::ShardState::steady && !shard.reshaped_with && !shard.members.joint() &&
                        shard.members.learners.empty() && shard.members.voters.size() == replicas_;
    if (steady && waits.empty() && serving(id) != nullptr) continue;
    return fmt::format("shard {}, served by {}, {}{}", id.value(), serving(id) == nullptr ? "nobody" : serving(id)->host(),
                       waits.empty() ? "waits for nothing" : waits, places(id));
  }
  for (const auto& node : nodes_)
    if (node->is_damaged() && configured_.contains(node->host())) return node->host() + " is damaged";
  return "";
}

void ClusterSim::judge() {
  check_changes();
  if (!report_.failure.empty()) return;
  program_->finish();
  if (!wait(patience, [&] { return program_->finished(); })) return fail("the program's client does not stop");
  if (!program_->violation().empty()) return fail(program_->violation());
  if (!wait(patience, [&] { return left_over().empty() && open_sessions().empty(); })) return fail(left_over() + open_sessions());
  for (const auto& [shard, hashes] : shards()) {
    if (report_.failure.empty()) check_states(shard);
  }
  if (report_.failure.empty()) read_all();
  if (report_.failure.empty()) fail(history_.violation());
}

// Nobody asks any more, and who follows comes to hear of all that was done.
void ClusterSim::check_changes() {
  program_->rest();
  if (!wait(patience, [&] { return program_->at_rest(); })) return fail("the program's requests do not end");
  direct_.rest();
  for (const TimePoint until = world_.clock.now() + patience; !program_->missed_changes().empty();) {
    if (world_.clock.now() >= until) return fail(program_->missed_changes());
    pass(glance);
    if (!report_.failure.empty()) return;
  }
}

// Its replicas come to the same entry, and have the same state there.
void ClusterSim::check_states(ShardId shard) {
  const auto level = [&] {
    const NodeMachine* leader = serving(shard);
    if (leader == nullptr) return false;
    const Offset commit = leader->shard(shard)->commit();
    return std::ranges::count_if(nodes_, [&](const auto& node) {
             return node->shard(shard) != nullptr && node->shard(shard)->status().applied == commit;
           }) >= replicas_;
  };
  if (!wait(patience, level)) return fail("the replicas do not come to the same entry" + places(shard));
  std::optional<std::pair<std::uint32_t, std::string>> first;
  const Offset commit = serving(shard)->shard(shard)->commit();
  for (const auto& node : nodes_) {
    if (node->shard(shard) == nullptr || node->shard(shard)->status().applied != commit) continue;
    const std::uint32_t its = checksum(*node, shard);
    if (!first) first = {its, node->host()};
    if (first->first == its) continue;
    return fail(
        fmt::format("shard {}: {} and {} differ at entry {}", shard.value(), first->second, node->host(), commit.value()));
  }
}

std::uint32_t ClusterSim::checksum(NodeMachine& node, ShardId shard) {
  store::SnapshotSource source(**node.engine().shard(shard), {.shard = shard});
  bool done = false;
  node.tasks().spawn(drain(source, done));
  while (!done) world_.step();
  return source.place().crc;
}

std::string ClusterSim::places(ShardId shard) const {
  std::string places;
  for (const auto& node : nodes_) {
    if (node->shard(shard) == nullptr) continue;
    const auto status = node->shard(shard)->status();
    places +=
        fmt::format("; {}{}: term {} head {} commit {} applied {}", node->host(), node->shard(shard)->serves() ? " serves" : "",
                    status.term.value(), status.head.offset.value(), status.commit.value(), status.applied.value());
    for (const auto& each : status.followers)
      places += fmt::format(" [{} mode {} matched {}]", each.node.value(), static_cast<int>(each.mode), each.matched.value());
  }
  return places;
}

std::string ClusterSim::left_over() const {
  const auto* core = office();
  if (core == nullptr) return "no coordinator is in office";
  for (const auto& node : nodes_) {
    for (const ShardId id : node->shards()) {
      if (!core->status().shards.contains(id)) return fmt::format("{} still has a replica of shard {}", node->host(), id.value());
    }
  }
  return "";
}

// Whoever had one has ended it, or has not said anything for longer than it lasts.
std::string ClusterSim::open_sessions() const {
  for (const auto& [id, hashes] : shards()) {
    const NodeMachine* leader = serving(id);
    if (leader == nullptr) return fmt::format("nobody serves shard {}", id.value());
    if (const std::size_t open = leader->shard(id)->figures().sessions; open > 0)
      return fmt::format("shard {} still has {} sessions", id.value(), open);
  }
  return "";
}

void ClusterSim::read_all() {
  const auto read = [&](const std::string& key) -> std::optional<store::GetOutcome> {
    const std::uint32_t hash = key_hash(key);
    const Shards known = shards();
    const auto place = std::ranges::find_if(known, [&](const auto& each) { return hash <= each.second.max; });
    const NodeMachine* leader = place == known.end() ? nullptr : serving(place->first);
    if (leader == nullptr) return std::nullopt;
    const auto found = leader->shard(place->first)->try_get({.key = key, .index = {}});
    return found && *found ? std::optional(**found) : std::nullopt;
  };
  for (std::uint64_t number = 0; number < key_count; ++number) {
    const std::string key = fmt::format("key{}", number);
    const auto found = read(key);
    if (!found) return fail(fmt::format("{} can't be read at the end", key));
    history_.add(read_of(key, *found, world_.clock.now()));
  }
  for (const std::string& key : program_->ephemeral_keys()) {
    const auto found = read(key);
    if (!found) return fail(fmt::format("{} can't be read at the end", key));
    if (found->status == store::Status::ok) return fail(fmt::format("{} is there, and its session is not", key));
  }
}

void ClusterSim::fill_report() {
  const DirectClients::Figures& direct = direct_.figures();
  const LibraryClient::Figures& program = program_->figures();
  report_.puts = puts();
  report_.refused = direct.refused;
  report_.unknown = direct.unknown + program.unknown;
  report_.gets = direct.gets + program.gets;
  report_.shards = served_.size();
  report_.ephemerals = program.ephemerals;
  report_.sessions_lost = program.sessions_lost;
  report_.changes = program_->changes().size();
  report_.gaps = program_->changes().gaps();
  for (const std::uint64_t each : {report_.puts, report_.gets, report_.changes, report_.ephemerals})
    trace_.note(world_.clock.now(), each, [each] { return std::to_string(each); });
  report_.trace_hash = trace_.hash();
}

}  // namespace skerry::sim
