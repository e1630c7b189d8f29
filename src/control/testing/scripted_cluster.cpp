// SPDX-License-Identifier: Apache-2.0
#include "control/testing/scripted_cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "control/testing/script_words.hpp"

namespace skerry::control {

std::string ScriptedCluster::command(const std::string& line) {
  std::istringstream in(line);
  const std::string word = word_in(in);
  out_.clear();
  if (word == "office") take_office(in);
  else if (word == "server") describe_server(in);
  else if (word == "no-server") out_ += config_.remove_server(word_in(in)) ? "" : "refused\n";
  else if (word == "namespace") describe_namespace(in);
  else if (word == "no-namespace") out_ += config_.remove_namespace(word_in(in)) ? "" : "refused\n";
  else if (word == "auto-split") describe_auto_split(in);
  else if (word == "load") set_load(in);
  else if (word == "configure") configure();
  else if (word == "greet") greet(in);
  else if (word == "report") report(in);
  else if (word == "break") break_off(word_in(in));
  else if (word == "silent")
    for (std::string each; in >> each;) node(each).beats = false;
  else if (word == "speaks")
    for (std::string each; in >> each;) node(each).beats = true;
  else if (word == "found") found(in);
  else if (word == "unreachable") core_->connect_failed(word_in(in), "refused", now_);
  else if (word == "answer") answer(in);
  else if (word == "refuse") refuse(in);
  else if (word == "ignore") ignore(in);
  else if (word == "obey")
    for (std::string each; in >> each;) node(each).obeys = true;
  else if (word == "disobey")
    for (std::string each; in >> each;) node(each).obeys = false;
  else if (word == "head") set_head(in);
  else if (word == "wait") wait(in);
  else if (word == "store-later") stores_at_once_ = false;
  else if (word == "store") store();
  else if (word == "publications") shows_publications_ = true;
  else if (word == "status") show_status();
  else if (word == "why") show_why(in);
  else if (word == "vacant") core_ = nullptr;
  else if (word == "numbers") count_shards_from(in);
  else wish(word, in);
  carry_out();
  return out_;
}

// --- what people say

void ScriptedCluster::take_office(std::istream& in) {
  std::int64_t epoch = 1;
  in >> epoch;
  calls_.clear();
  storing_.reset();
  for (auto& [called, one] : nodes_) one.beats = false;
  beaten_at_ = now_;
  auto core = CoordinatorCore::take_office({.epoch = epoch, .items = items_}, {.fresh_instance = "reef"}, now_);
  if (!core) {
    out_ += core.error().text + "\n";
    return;
  }
  core_ = *std::move(core);
}

void ScriptedCluster::count_shards_from(std::istream& in) {
  ClusterStatus status = *ClusterStatus::from_items(items_);
  status.next_shard = ShardId(integer(in));
  items_ = status.to_items();
}

// server NAME [at HOST] [label NAME VALUE]…
void ScriptedCluster::describe_server(std::istream& in) {
  const std::string called = word_in(in);
  std::string host = called;
  Labels labels;
  for (std::string word; in >> word;) {
    if (word == "at") in >> host;
    if (word == "label") {
      const std::string label = word_in(in);
      labels[label] = word_in(in);
    }
  }
  const ServerConfig server{.name = called, .public_address = host + ":1", .internal_address = host + ":2"};
  const auto done = config_.find_server(called) == nullptr ? config_.add(server, labels) : config_.replace(server, labels);
  if (!done) out_ += done.error().text + "\n";
}

// namespace NAME SHARDS REPLICAS [strict LABEL] [relaxed LABEL] [natural]
void ScriptedCluster::describe_namespace(std::istream& in) {
  NamespaceConfig space;
  space.name = word_in(in);
  space.shards = static_cast<std::uint32_t>(integer(in));
  space.replicas = static_cast<std::uint32_t>(integer(in));
  for (std::string word; in >> word;) {
    if (word == "natural") space.order = store::KeyOrder::natural;
    if (word == "strict") space.anti_affinities.push_back({{word_in(in)}, AntiAffinity::Mode::strict});
    if (word == "relaxed") space.anti_affinities.push_back({{word_in(in)}, AntiAffinity::Mode::relaxed});
  }
  // As somebody would write it into the file: what is wrong with it is found when it is given.
  std::erase_if(config_.namespaces, [&](const NamespaceConfig& each) { return each.name == space.name; });
  config_.namespaces.push_back(space);
}

// auto-split MEBIBYTES OPERATIONS SECONDS PAUSE SHARDS
void ScriptedCluster::describe_auto_split(std::istream& in) {
  AutoSplit& split = config_.auto_split;
  split.enabled = true;
  split.shard_mebibytes_max = static_cast<std::uint32_t>(integer(in));
  split.shard_operations_max = static_cast<std::uint32_t>(integer(in));
  split.stable = std::chrono::seconds(integer(in));
  split.cooldown = std::chrono::seconds(integer(in));
  split.shards_max = static_cast<std::uint32_t>(integer(in));
}

// load NAME S bytes N, load NAME S operations N
void ScriptedCluster::set_load(std::istream& in) {
  Node& one = node(word_in(in));
  const ShardId shard(integer(in));
  auto& loads = word_in(in) == "bytes" ? one.bytes : one.operations;
  loads[shard] = static_cast<std::uint64_t>(integer(in));
}

// found SERVERS SHARDS REPLICAS: as many servers, all known and obedient, and the namespace default, led and serving; without
// words.
void ScriptedCluster::found(std::istream& in) {
  const std::int64_t servers = integer(in);
  std::istringstream space("default " + std::to_string(integer(in)) + " " + std::to_string(integer(in)));
  const auto each_server = [&](const std::string& what) {
    for (std::int64_t i = 1; i <= servers; ++i) command(fmt::format("{} n{}", what, i));
  };
  each_server("server");
  describe_namespace(space);
  command("office");
  each_server("obey");
  command("configure");
  for (const char* what : {"greet", "greet", "report"}) each_server(what);
  command("wait 200");
  out_.clear();
  show_status();
}

void ScriptedCluster::break_off(const std::string& called) {
  node(called).beats = false;
  core_->broke(called, "reset", now_);
}

void ScriptedCluster::configure() { say(core_->configured(config_, now_)); }

void ScriptedCluster::wish(const std::string& word, std::istream& in) {
  if (word == "drain") return say(core_->drain(node_in(in), now_));
  if (word == "undrain") return say(core_->undrain(node_in(in), now_));
  if (word == "delete-namespace") return say(core_->delete_namespace(word_in(in), now_));
  if (word == "split") return wish_split(in);
  if (word == "restore") return begin_restore(in);
  if (word == "restore-complete") return complete_restore(in);
  if (word == "restore-ends") return core_->give_up_restore(word_in(in), now_);
  if (word == "cancel") return say(core_->cancel_reshape(ShardId(integer(in)), now_));
  if (word == "merge") {
    const ShardId left(integer(in));
    return say(core_->merge_shards({left, ShardId(integer(in))}, now_));
  }
  const ShardId shard{word == "move" || word == "transfer" ? integer(in) : 0};
  if (word == "transfer") return say(core_->transfer_leader(shard, node_in(in), now_));
  if (word == "move") {
    const NodeId from = node_in(in);
    return say(core_->move_replica({shard, from, node_in(in)}, now_));
  }
  out_ += "no such command: " + word + "\n";
}

// split S [POINT]
void ScriptedCluster::wish_split(std::istream& in) {
  const ShardId shard(integer(in));
  std::optional<std::uint32_t> point;
  if (std::uint32_t given = 0; in >> given) point = given;
  say(core_->split_shard(shard, point, now_));
}

void ScriptedCluster::say(const Result<CoordinatorCore::Begun>& result) {
  out_ += result ? fmt::format("into {}\n", control::text(result->children)) : "refused: " + result.error().text + "\n";
}

// restore NAME SHARDS REPLICAS
void ScriptedCluster::begin_restore(std::istream& in) {
  RestoreWish wish{.name = word_in(in)};
  wish.hashes = split_hashes(static_cast<std::uint32_t>(integer(in)));
  wish.replicas = static_cast<std::uint32_t>(integer(in));
  const auto begun = core_->begin_restore(wish, now_);
  if (!begun) out_ += "refused: " + begun.error().text + "\n";
  for (std::size_t i = 0; begun && i < begun->parts.size(); ++i) {
    const RestoreStatus::Part& part = begun->parts[i];
    out_ += fmt::format("bring shard {} ({:08x}-{:08x}) to {}\n", part.shard.value(), part.hashes.min, part.hashes.max,
                        name(part.node));
  }
}

// restore-complete NAME TERM…
void ScriptedCluster::complete_restore(std::istream& in) {
  const std::string restored = word_in(in);
  std::map<ShardId, Term> terms;
  const auto& restores = core_->status().restores;
  if (const auto found = restores.find(restored); found != restores.end()) {
    for (const RestoreStatus::Part& part : found->second.parts) terms[part.shard] = Term(integer(in));
  }
  if (const auto done = core_->complete_restore(restored, terms); !done) out_ += "refused: " + done.error().text + "\n";
}

void ScriptedCluster::say(const Result<CommitNumber>& result) {
  if (!result) out_ += "refused: " + result.error().text + "\n";
}

// --- time and store

void ScriptedCluster::wait(std::istream& in) {
  const TimePoint end = now_ + std::chrono::milliseconds(integer(in));
  while (now_ < end) {
    now_ = std::min({end, std::max(now_ + 1ms, core_->next_tick()), beaten_at_ + 100ms});
    if (now_ >= beaten_at_ + 100ms) beat();
    core_->tick(now_);
    carry_out();
  }
}

void ScriptedCluster::beat() {
  beaten_at_ = now_;
  for (auto& [called, one] : nodes_) {
    NodeReport report;
    for (auto& [shard, leading] : one.leads) {
      if (const auto found = one.bytes.find(shard); found != one.bytes.end()) leading.bytes = found->second;
      if (const auto found = one.operations.find(shard); found != one.operations.end()) leading.writes += found->second / 10;
      report.replicas.push_back(leading);
    }
    if (one.beats) core_->reported(called, report, now_);
  }
}

void ScriptedCluster::store() {
  if (!storing_) {
    out_ += "nothing is being stored\n";
    return;
  }
  for (const MetadataChange& change : storing_->changes) {
    if (change.value) items_[change.key] = *change.value;
    else items_.erase(change.key);
  }
  const CommitNumber number = storing_->number;
  storing_.reset();
  core_->stored(number, now_);
}

NodeId ScriptedCluster::node_in(std::istream& in) {
  const std::string called = word_in(in);
  for (auto each = name_of_.rbegin(); each != name_of_.rend(); ++each) {
    if (each->second == called) return each->first;
  }
  return NodeId(static_cast<std::uint32_t>(std::atoi(called.c_str())));
}

}   // namespace skerry::control
