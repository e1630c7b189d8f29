// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "control/coordinator.hpp"
#include "rpc/status.hpp"

namespace skerry::control {

// Changes a copy of the configuration; what it refuses with is the answer.
using ConfigEdit = std::function<Result<>(ClusterConfig&)>;

// What the admin services need of a coordinator's process. One core's.
struct AdminOffice {
  Core& core;
  Coordinator& coordinator;
  // Edits the configuration in force and its file, one after the other. Returns when both the file and what the status must know
  // are durable. Fails as the edit does, with invalid_argument when the result can't be followed, io_failed, unavailable out of
  // office, and deadline_exceeded where the office ends before it is known to be stored.
  std::function<Task<Result<>>(ConfigEdit)> change_config;

  // The coordinator's core. Out of office fails with how to answer: UNAVAILABLE, and who is in office where that is known.
  std::expected<CoordinatorCore*, rpc::Status> in_office() const;
  // Carries out a wish that was put to the core, and returns when it is durable.
  Task<rpc::Status> carry_out(Result<CommitNumber> wish) const;
};

// A node by the name of its server or by its number; of two with one name the one that is not lost. Fails with not_found and
// whom may have been meant.
Result<NodeId> find_node(const ClusterStatus& status, const std::string& text);
// Nothing: no node has that name now.
std::optional<NodeId> node_named(const ClusterStatus& status, const std::string& name);

// Whether the namespace has the shard: who names both by mistake should hear of it before anything happens.
rpc::Status check_shard(const CoordinatorCore& core, ShardId shard, const std::string& name_space);

// The same status, but for what can't be done as things are: FAILED_PRECONDITION where the error says invalid_argument.
rpc::Status as_precondition(const Error& error);

}   // namespace skerry::control
