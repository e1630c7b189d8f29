// SPDX-License-Identifier: Apache-2.0
// What the nodes of a script say, and how they obey.
#include "control/testing/scripted_cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "control/testing/script_words.hpp"

namespace skerry::control {

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

}   // namespace skerry::control
