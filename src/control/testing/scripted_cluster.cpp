// SPDX-License-Identifier: Apache-2.0
#include "control/testing/scripted_cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace skerry::control {
namespace {

std::int64_t integer(std::istream& in) {
  std::int64_t value = 0;
  in >> value;
  return value;
}
std::string word_in(std::istream& in) {
  std::string word;
  in >> word;
  return word;
}

// TERM:OFFSET
replica::EntryId entry_of(const std::string& word) {
  const std::size_t colon = word.find(':');
  return {Term(std::stoll(word.substr(0, colon))), Offset(std::stoll(word.substr(colon + 1)))};
}
std::string text(const replica::EntryId& entry) {
  return entry.offset == no_offset ? "empty" : fmt::format("{}:{}", entry.term.value(), entry.offset.value());
}

const char* text(ShardState state) {
  switch (state) {
    case ShardState::steady: return "steady";
    case ShardState::election: return "election";
    case ShardState::fenced: return "fenced";
    case ShardState::deleting: break;
  }
  return "deleting";
}

const char* text(ReshapeStatus::Phase phase) {
  switch (phase) {
    case ReshapeStatus::Phase::preparing: return "preparing";
    case ReshapeStatus::Phase::sealing: return "sealing";
    case ReshapeStatus::Phase::reshaping: return "reshaping";
    case ReshapeStatus::Phase::electing: break;
  }
  return "electing";
}

std::string text(const std::vector<ShardId>& shards) {
  std::string out;
  for (const ShardId shard : shards) out += fmt::format("{}{}", out.empty() ? "" : " ", shard.value());
  return out;
}

const char* text(NodeCondition condition) {
  switch (condition) {
    case NodeCondition::unknown: return "unknown";
    case NodeCondition::serving: return "serving";
    case NodeCondition::suspected: return "suspected";
    case NodeCondition::failed: break;
  }
  return "failed";
}

}  // namespace

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
  std::vector<Term> terms;
  for (std::int64_t term = 0; in >> term;) terms.emplace_back(term);
  if (const auto done = core_->complete_restore(restored, std::move(terms)); !done)
    out_ += "refused: " + done.error().text + "\n";
}

void ScriptedCluster::say(const Result<CommitNumber>& result) {
  if (!result) out_ += "refused: " + result.error().text + "\n";
}

// --- what nodes say

// greet NAME [incarnation N] [pool P] [unbound] [damaged] [as ID]
void ScriptedCluster::greet(std::istream& in) {
  const std::string called = word_in(in);
  Node& one = node(called);
  if (one.pool.empty()) one.pool = called;
  Greeting greeting{.incarnation = {}, .pool = {}, .version = "1", .bound = one.id};
  if (one.id == NodeId()) greeting.bound.reset();
  for (std::string word; in >> word;) {
    if (word == "incarnation") {
      one.incarnation = static_cast<std::uint64_t>(integer(in));
      one.leads.clear();
    }
    if (word == "pool") in >> one.pool;
    if (word == "unbound") greeting.bound.reset();
    if (word == "damaged") greeting.damage = "rot";
    if (word == "as") greeting.bound = NodeId(static_cast<std::uint32_t>(integer(in)));
  }
  greeting.incarnation = replica::Incarnation(one.incarnation);
  greeting.pool = one.pool;
  one.beats = true;
  core_->greeted(called, greeting, now_);
}

// report NAME [disk MS] [damaged] [unheard NAME]… [shard S …]…
void ScriptedCluster::report(std::istream& in) {
  const std::string called = word_in(in);
  NodeReport report;
  for (std::string word; in >> word;) {
    if (word == "disk") report.disk_silence = std::chrono::milliseconds(integer(in));
    if (word == "damaged") report.damage = "rot";
    if (word == "unheard") report.unheard.push_back(node_in(in));
    if (word == "shard") report.replicas.push_back(replica_in(in));
  }
  for (const ReplicaReport& each : report.replicas) node(called).leads.erase(each.shard);
  core_->reported(called, report, now_);
}

// S ROLE TERM [version V] [serving] [confirmed V] [head N] [bytes N] [followers NAME MATCHED…] ;
ReplicaReport ScriptedCluster::replica_in(std::istream& in) {
  using Role = ReplicaReport::Role;
  ReplicaReport replica;
  replica.shard = ShardId(integer(in));
  const std::string role = word_in(in);
  const std::map<std::string, Role> roles = {{"fenced", Role::fenced},
                                             {"follower", Role::follower},
                                             {"leader", Role::leader},
                                             {"gone", Role::gone},
                                             {"failed", Role::failed}};
  replica.role = roles.at(role);
  replica.term = Term(integer(in));
  for (std::string word; in >> word && word != ";";) {
    if (word == "version") replica.version = MembershipVersion(integer(in));
    if (word == "serving") replica.serving = true;
    if (word == "confirmed") replica.confirmed = MembershipVersion(integer(in));
    if (word == "head") replica.head = Offset(integer(in));
    if (word == "sealed") replica.sealed = true;
    if (word == "writes") replica.writes = static_cast<std::uint64_t>(integer(in));
    if (word == "bytes") replica.bytes = static_cast<std::uint64_t>(integer(in));
    if (word == "reason") in >> replica.reason;
    if (word == "follower") {
      const NodeId follower = node_in(in);
      replica.followers.push_back({.node = follower, .matched = Offset(integer(in)), .streaming = true});
    }
  }
  return replica;
}

std::optional<NodeCall> ScriptedCluster::take_call(std::istream& in) {
  const NodeId to = node_in(in);
  const ShardId shard(integer(in));
  const auto found = std::ranges::find_if(calls_, [&](const NodeCall& call) { return call.to == to && call.shard == shard; });
  if (found == calls_.end()) {
    out_ += "nothing is asked of it\n";
    return std::nullopt;
  }
  NodeCall call = std::move(*found);
  calls_.erase(found);
  return call;
}

// answer NAME S [HEAD] [served] [promised MS] [unconfirmed]: the oldest call
void ScriptedCluster::answer(std::istream& in) {
  const auto call = take_call(in);
  if (!call) return;
  NodeReply reply = obedience(*call);
  auto* fenced = std::get_if<replica::NewTermAnswer>(&reply);
  for (std::string word; in >> word;) {
    if (word == "unconfirmed") {
      reply = MembersTaken{false};
    } else if (fenced == nullptr) {
      out_ += "it is asked something else\n";
    } else if (word == "served") {
      fenced->served = true;
    } else if (word == "promised") {
      fenced->promised = std::chrono::milliseconds(integer(in));
    } else {
      fenced->head = entry_of(word);
    }
  }
  core_->replied(*call, reply, now_);
}

// refuse NAME S [TERM | behind | foreign | collide]
void ScriptedCluster::refuse(std::istream& in) {
  const auto call = take_call(in);
  if (!call) return;
  Refused refused{.known = std::nullopt, .why = "it knows better"};
  if (const std::string word = word_in(in); word == "behind") {
    refused.reason = Refused::Reason::behind;
  } else if (word == "foreign") {
    refused = {.known = {}, .why = "the key x is not of its hashes", .reason = Refused::Reason::foreign_records};
  } else if (word == "collide") {
    refused = {.known = {}, .why = "session 7 is in both", .reason = Refused::Reason::sessions_collide};
  } else if (!word.empty()) {
    refused.known = Term(std::stoll(word));
  }
  core_->replied(*call, refused, now_);
}

void ScriptedCluster::ignore(std::istream& in) {
  if (const auto call = take_call(in)) core_->replied(*call, Unanswered{"it did not answer in time"}, now_);
}

void ScriptedCluster::set_head(std::istream& in) {
  Node& one = node(word_in(in));
  const ShardId shard(integer(in));
  one.heads[shard] = entry_of(word_in(in));
}

NodeReply ScriptedCluster::obedience(const NodeCall& call) {
  Node& one = node(name(call.to));
  remember(one, call);
  if (std::holds_alternative<replica::BecomeLeader>(call.what)) return LeadershipTaken{};
  if (std::holds_alternative<replica::ChangeMembers>(call.what)) return MembersTaken{true};
  if (std::holds_alternative<DeleteReplica>(call.what)) return ReplicaDeleted{};
  if (std::holds_alternative<SealShard>(call.what)) return ShardSealed{one.heads[call.shard]};
  if (std::holds_alternative<UnsealShard>(call.what)) return ShardUnsealed{};
  if (std::holds_alternative<PrepareReshape>(call.what)) return Reshaped{};
  if (const auto* reshape = std::get_if<Reshape>(&call.what)) {
    Offset last = no_offset;
    for (const Reshape::Parent& each : reshape->parents) last = std::max(last, each.head.offset);
    for (const Reshape::Child& each : reshape->children) one.heads[each.shard] = {reshape->term, last};
    return Reshaped{};
  }
  return replica::NewTermAnswer{.term = call.term(), .head = one.heads[call.shard]};
}

void ScriptedCluster::remember(Node& one, const NodeCall& call) {
  const auto* lead = std::get_if<replica::BecomeLeader>(&call.what);
  const auto* change = std::get_if<replica::ChangeMembers>(&call.what);
  if (lead == nullptr && change == nullptr) {
    // A leader stays one but when it is fenced or deleted.
    if (!std::holds_alternative<FenceReplica>(call.what) && !std::holds_alternative<DeleteReplica>(call.what)) return;
    one.leads.erase(call.shard);
    return;
  }
  ReplicaReport& report = one.leads[call.shard];
  report.shard = call.shard;
  report.role = ReplicaReport::Role::leader;
  report.term = call.term();
  report.version = lead != nullptr ? lead->membership.version : change->membership.version;
  report.confirmed = report.version;
  report.serving = true;
  report.head = one.heads[call.shard].offset;
  report.followers.clear();
  for (const auto& [id, called] : name_of_) report.followers.push_back({.node = id, .matched = report.head, .streaming = true});
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

// --- effects

void ScriptedCluster::carry_out() {
  if (core_ == nullptr) return;
  for (Effects effects = core_->take_effects(); !effects.empty(); effects = core_->take_effects()) carry_out(std::move(effects));
}

void ScriptedCluster::carry_out(Effects effects) {
  for (const Note& note : effects.notes) out_ += (note.level == Note::Level::warning ? "! " : "- ") + note.text + "\n";
  for (const Attendance& each : effects.attend) {
    out_ += fmt::format("attend {} at {} as node {}\n", each.name, each.internal_address, each.node.value());
    name_of_[each.node] = each.name;
  }
  for (const std::string& each : effects.let_go) out_ += "let go of " + each + "\n";
  for (const std::string& each : effects.bind) {
    const auto id =
        std::ranges::find_if(name_of_.rbegin(), name_of_.rend(), [&](const auto& pair) { return pair.second == each; });
    node(each).id = id->first;
    out_ += fmt::format("bind {} as node {}\n", each, id->first.value());
  }
  for (const auto& each : effects.give_up) out_ += fmt::format("give up node {} of {}\n", each.node.value(), each.name);
  for (const Publication& each : effects.publish) show(each);
  if (effects.commit) {
    storing_ = std::move(effects.commit);
    show(*storing_);
  }
  for (const NodeCall& call : effects.calls) {
    show(call);
    if (node(name(call.to)).obeys) core_->replied(call, obedience(call), now_);
    else calls_.push_back(call);
  }
  if (storing_ && stores_at_once_) store();
}

void ScriptedCluster::show(const StatusCommit& commit) {
  std::string keys;
  for (const MetadataChange& change : commit.changes) keys += " " + change.key + (change.value ? "" : " (gone)");
  out_ += fmt::format("store {}:{}\n", commit.number.value(), keys);
}

void ScriptedCluster::show(const NodeCall& call) {
  const std::string to = fmt::format("{} of shard {}", name(call.to), call.shard.value());
  if (const auto* fence = std::get_if<FenceReplica>(&call.what)) {
    out_ += fmt::format("fence {}: term {} v{}\n", to, fence->term.term.value(), fence->term.version.value());
  } else if (const auto* lead = std::get_if<replica::BecomeLeader>(&call.what)) {
    out_ += fmt::format("lead {}: term {}, {}, heads", to, lead->term.value(), text(lead->membership));
    for (const auto& each : lead->heads) out_ += fmt::format(" {} {}", name(each.node), control::text(each.head));
    const auto waits = std::chrono::ceil<std::chrono::milliseconds>(lead->lease_wait).count();
    out_ += waits == 0 ? "\n" : fmt::format(", wait {} ms\n", waits);
  } else if (const auto* change = std::get_if<replica::ChangeMembers>(&call.what)) {
    out_ += fmt::format("change {}: term {}, {}\n", to, change->term.value(), text(change->membership));
  } else if (const auto* prepare = std::get_if<PrepareReshape>(&call.what)) {
    out_ += fmt::format("prepare {}: {}\n", to, text(prepare->reshape));
  } else if (const auto* reshape = std::get_if<Reshape>(&call.what)) {
    out_ += fmt::format("reshape {}: {} of term {}\n", to, text(*reshape), reshape->term.value());
  } else if (const auto* seal = std::get_if<SealShard>(&call.what)) {
    out_ += fmt::format("seal {}: term {}\n", to, seal->term.value());
  } else if (const auto* unseal = std::get_if<UnsealShard>(&call.what)) {
    out_ += fmt::format("unseal {}: term {}\n", to, unseal->term.value());
  } else {
    out_ += fmt::format("delete {}: term {}\n", to, call.term().value());
  }
}

void ScriptedCluster::show(const Publication& publication) {
  if (!shows_publications_) return;
  out_ += "tell " + name(publication.to) + ":";
  if (publication.nodes) out_ += fmt::format(" {} nodes;", publication.nodes->nodes.size());
  if (publication.holdings) {
    out_ += " hold";
    for (const Holdings::Replica& each : publication.holdings->replicas) out_ += fmt::format(" {}", each.shard.value());
    out_ += ";";
  }
  if (publication.assignments) {
    for (const auto& [space, shards] : publication.assignments->namespaces) {
      out_ += " " + space;
      for (const auto& each : shards) {
        out_ += fmt::format(" {} at {}", each.shard.value(), each.leader ? each.leader_public_address : "nobody");
      }
    }
    out_ += ";";
  }
  out_.back() = '\n';
}

// --- what is

void ScriptedCluster::show_status() {
  for (const auto& [id, node] : core_->status().nodes) {
    out_ += fmt::format("node {} {} {}{}{}{}{}\n", id.value(), node.name, control::text(core_->condition(id)),
                        node.bound ? "" : " unbound", node.lost ? " lost" : "", node.draining ? " draining" : "",
                        node.removed ? " removed" : "");
  }
  for (const auto& [id, shard] : core_->status().shards) {
    out_ += fmt::format("shard {} {} term {}{}, {}", id.value(), control::text(shard.state), shard.term.value(),
                        shard.leader ? " led by " + name(*shard.leader) : "", text(shard.members));
    if (!shard.wanted.empty()) out_ += ", wanted " + names(shard.wanted);
    if (!shard.removed.empty()) out_ += ", removed " + names(shard.removed);
    if (shard.reshape) {
      out_ += fmt::format(", {}: {} into {}", control::text(shard.reshape->phase), control::text(shard.reshape->parents),
                          control::text(shard.reshape->children));
    } else if (shard.reshaped_with) {
      out_ += fmt::format(", with shard {}", shard.reshaped_with->value());
    }
    out_ += "\n";
  }
}

void ScriptedCluster::show_why(std::istream& in) {
  const std::string what = word_in(in);
  std::string why;
  if (what == "drain") why = core_->why_not_drained(node_in(in));
  if (what == "namespace") why = core_->why_missing(word_in(in));
  if (what == "shard") why = core_->why_not_yet(ShardId(integer(in)));
  if (what == "given-up") why = core_->why_given_up(ShardId(integer(in)));
  if (what == "server") why = core_->trouble(word_in(in));
  out_ += why.empty() ? "nothing\n" : why + "\n";
}

std::string ScriptedCluster::name(NodeId node) const {
  const auto found = name_of_.find(node);
  return found == name_of_.end() ? fmt::format("node {}", node.value()) : found->second;
}

std::string ScriptedCluster::names(const std::vector<NodeId>& nodes) const {
  std::string text;
  for (const NodeId node : nodes) text += (text.empty() ? "" : " ") + name(node);
  return text;
}

// "0 in term 1 at 0:5 to 1 (00000000-7fffffff) and 2 (80000000-ffffffff)"
std::string ScriptedCluster::text(const Reshape& reshape) const {
  std::string out;
  for (const Reshape::Parent& each : reshape.parents) {
    out += fmt::format("{}{} in term {} at {}", out.empty() ? "" : " and ", each.shard.value(), each.term.value(),
                       control::text(each.head));
  }
  for (const Reshape::Child& each : reshape.children) {
    out += fmt::format("{}{} ({:08x}-{:08x})", &each == &reshape.children.front() ? " to " : " and ", each.shard.value(),
                       each.hashes.min, each.hashes.max);
  }
  return out;
}

std::string ScriptedCluster::text(const replica::Membership& members) const {
  std::string out = fmt::format("v{} voters {}", members.version.value(), names(members.voters));
  if (members.joint()) out += " old " + names(members.old_voters);
  if (!members.learners.empty()) out += " learners " + names(members.learners);
  return out;
}

NodeId ScriptedCluster::node_in(std::istream& in) {
  const std::string called = word_in(in);
  for (auto each = name_of_.rbegin(); each != name_of_.rend(); ++each) {
    if (each->second == called) return each->first;
  }
  return NodeId(static_cast<std::uint32_t>(std::atoi(called.c_str())));
}

}   // namespace skerry::control
