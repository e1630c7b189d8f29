// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "control/coordinator_core.hpp"
#include "oxia/admin.pb.h"

// Between Oxia's admin messages and the words of the coordinator.
namespace skerry::control {

// Fails with invalid_argument. No replication factor: as many as `servers` allow, three at most.
Result<NamespaceConfig> read(const io::oxia::proto::v1::Namespace& wish, std::size_t servers);
Result<ServerConfig> read(const io::oxia::proto::v1::DataServerIdentity& identity);
Labels read(const io::oxia::proto::v1::DataServerMetadata& metadata);

// Of the configuration, the status or both; a namespace that neither has is a bug.
void write(const CoordinatorCore& core, const std::string& name, io::oxia::proto::v1::NamespaceView& view);
void write(const CoordinatorCore& core, const ServerConfig& server, io::oxia::proto::v1::DataServerView& view);

}   // namespace skerry::control
