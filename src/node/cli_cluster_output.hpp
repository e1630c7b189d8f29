// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "node/cli_admin_output.hpp"
#include "skerry/control/v1/admin.pb.h"

// What is printed of a cluster, with the last newline. Pure.
namespace skerry::node {

std::string nodes_text(const control::v1::Cluster& cluster, AdminFormat format);
// Of one namespace, or of all where it is empty.
std::string shards_text(const control::v1::Cluster& cluster, AdminFormat format, const std::string& name_space);
// Nodes, namespaces, and those shards that wait for something.
std::string cluster_text(const control::v1::Cluster& cluster, AdminFormat format);

inline std::string mebibytes(std::uint64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20)); }

// By name or number; null: there is none.
const control::v1::ClusterNode* find_node(const control::v1::Cluster& cluster, const std::string& text);
// "two", or "#7" for a node that is not known.
std::string node_name(const control::v1::Cluster& cluster, std::uint32_t node);
// "serving", "failed, draining"
std::string condition_text(const control::v1::ClusterNode& node);
// "one* two three(learner)": the leader is marked.
std::string replicas_text(const control::v1::Cluster& cluster, const control::v1::ClusterShard& shard);
// Entries that the one furthest behind lacks, of those that the leader hears of; "-" without a leader's word.
std::string lag_text(const control::v1::ClusterShard& shard);
// What has happened between two looks, for people: a line each.
std::vector<std::string> cluster_changes(const control::v1::Cluster& before, const control::v1::Cluster& after);
// Whether each namespace is there and each shard has a leader that serves: what `cluster up` waits for.
bool all_led(const control::v1::Cluster& cluster);

}   // namespace skerry::node
