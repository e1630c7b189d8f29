// SPDX-License-Identifier: Apache-2.0
#include "control/admin_office.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/nearest.hpp"

namespace skerry::control {
namespace {

rpc::Status not_in_office(const std::string& holder) {
  rpc::ErrorInfo info{"skerry.control", "NOT_IN_OFFICE", {}};
  if (holder.empty()) {
    return rpc::Status::with_info(rpc::Code::unavailable, "no coordinator is in office right now: ask again in a moment", info);
  }
  info.metadata["coordinator"] = holder;
  return rpc::Status::with_info(rpc::Code::unavailable,
                                fmt::format("this coordinator is not in office: ask the one at {}", holder), info);
}

std::optional<NodeId> parse_node(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return NodeId(number);
}

}  // namespace

std::expected<CoordinatorCore*, rpc::Status> AdminOffice::in_office() const {
  CoordinatorCore* const core_in_office = coordinator.in_office();
  if (core_in_office == nullptr) return std::unexpected(not_in_office(coordinator.holder()));
  return core_in_office;
}

Task<rpc::Status> AdminOffice::carry_out(Result<CommitNumber> wish) const {
  if (!wish) co_return rpc::Status::from(wish.error());
  coordinator.act();
  const auto stored = co_await coordinator.wait_stored(*wish);
  co_return stored ? rpc::Status() : rpc::Status::from(stored.error());
}

std::optional<NodeId> node_named(const ClusterStatus& status, const std::string& name) {
  const auto is = [&](const auto& each) { return each.second.name == name && !each.second.lost; };
  const auto found = std::ranges::find_if(status.nodes, is);
  return found == status.nodes.end() ? std::nullopt : std::optional(found->first);
}

Result<NodeId> find_node(const ClusterStatus& status, const std::string& text) {
  if (text.empty()) return fail(Errc::invalid_argument, "name a node");
  if (const auto named = node_named(status, text)) return *named;
  if (const auto number = parse_node(text); number && status.nodes.contains(*number)) return *number;
  std::vector<std::string> known;
  for (const auto& [id, node] : status.nodes) known.push_back(node.name);
  return fail(Errc::not_found, fmt::format("there is no node {}{}", printable(text), did_you_mean(text, known)));
}

rpc::Status check_shard(const CoordinatorCore& core, ShardId shard, const std::string& name_space) {
  const auto& shards = core.status().shards;
  const auto found = shards.find(shard);
  const auto missing = [](std::string text) { return rpc::Status{rpc::Code::not_found, std::move(text), {}}; };
  if (found == shards.end()) {
    return missing(fmt::format("there is no shard {}: `skerry admin shard list` shows those that there are", shard.value()));
  }
  if (found->second.name_space == name_space) return {};
  return missing(fmt::format("shard {} is of the namespace {}, not of {}", shard.value(), found->second.name_space,
                             name_space.empty() ? "none" : printable(name_space)));
}

rpc::Status as_precondition(const Error& error) {
  rpc::Status status = rpc::Status::from(error);
  if (status.code == rpc::Code::invalid_argument) status.code = rpc::Code::failed_precondition;
  return status;
}

}  // namespace skerry::control
