// SPDX-License-Identifier: Apache-2.0
// What a script's coordinator wants done, and what it knows, in words.
#include "control/testing/scripted_cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "control/testing/script_words.hpp"

namespace skerry::control {

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

}   // namespace skerry::control
