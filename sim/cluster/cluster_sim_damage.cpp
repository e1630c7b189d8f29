// SPDX-License-Identifier: Apache-2.0
// What becomes of a cluster when the disk of one node at a time rots.
#include <fmt/format.h>

#include <algorithm>

#include "sim/cluster/cluster_sim.hpp"

namespace skerry::sim {

// A node whose replicas are all whole elsewhere, and no other while it has not been filled anew: else what is lost is lost.
void ClusterSim::damage(NodeMachine& node) {
  if (damaged_ != nullptr || replicas_ < 3 || !configured_.contains(node.host()) || !why_not_level().empty()) return;
  if (node.running()) lose(node, true);
  std::string what;
  switch (world_.random.below(6)) {
    case 0: what = rot_file(node, ".seg"); break;
    case 1: what = rot_file(node, ".state"); break;
    case 2: what = rot_file(node, "cluster-node"); break;
    case 3: what = lose_file(node, ".seg"); break;
    case 4: what = lose_file(node, ".state"); break;
    default: what = lose_file(node, "cluster-node"); break;
  }
  if (what.empty()) return;
  ++report_.damages;
  damaged_ = &node;
  note(fmt::format("{}: {}", node.host(), what));
}

// What was put aside is deleted when the node has been filled anew; from then on another may be damaged.
void ClusterSim::clean_up() {
  if (damaged_ == nullptr || !damaged_->running() || !damaged_->keeps_damage() || !why_not_level().empty()) return;
  note(fmt::format("what was damaged of {} is deleted", damaged_->host()));
  damaged_->forget_damage();
  damaged_ = nullptr;
  ++report_.repairs;
}

// Of the log only what is not its newest segment: damage to its last batch is what a crash leaves, and nobody can tell.
std::vector<std::string> ClusterSim::files_that_rot(const NodeMachine& node, std::string_view ending) const {
  std::vector<std::string> files = node.platters.paths();
  std::erase_if(files, [&](const std::string& path) {
    return !path.ends_with(ending) || path.find("/spare-") != std::string::npos || path.find(".damaged/") != std::string::npos;
  });
  if (ending == ".seg" && !files.empty()) files.pop_back();
  return files;
}

std::string ClusterSim::rot_file(NodeMachine& node, std::string_view ending) {
  const std::vector<std::string> files = files_that_rot(node, ending);
  if (files.empty()) return "";
  const std::string& file = files[world_.random.below(files.size())];
  const std::uint64_t bits = node.platters.content(file).size() * 8;
  if (bits == 0) return "";
  node.platters.flip_bit(file, world_.random.below(bits));
  return "a bit of " + file + " rots";
}

std::string ClusterSim::lose_file(NodeMachine& node, std::string_view ending) {
  const std::vector<std::string> files = files_that_rot(node, ending);
  if (files.empty()) return "";
  const std::string& file = files[world_.random.below(files.size())];
  node.platters.erase(file);
  return file + " vanishes";
}

// A mistake.
void ClusterSim::forget_all(NodeMachine& node) {
  if (node.running()) lose(node, true);
  note(fmt::format("{} has lost all but its name, and does not say so", node.host()));
  node.platters.remove_folder("/node-0/log");
  node.platters.remove_folder("/node-0/engine");
  node.platters.make_folder("/node-0/log");
  boot(node);
}

}   // namespace skerry::sim
