// SPDX-License-Identifier: Apache-2.0
#include "node/cli_admin_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/quoting.hpp"

namespace skerry::node {
namespace {

namespace pb = io::oxia::proto::v1;

std::vector<std::string> row(const pb::NamespaceView& view) {
  const pb::Namespace& space = view.namespace_();
  return {space.name(), fmt::to_string(space.initial_shard_count()), fmt::to_string(space.replication_factor()),
          space.notifications_enabled() ? "true" : "false", space.key_sorting()};
}

// Shards in order; protobuf's map has none.
std::map<std::int64_t, pb::ShardMetadata> shards_of(const pb::NamespaceView& view) {
  return {view.namespace_status().shards().begin(), view.namespace_status().shards().end()};
}

std::string namespace_json(const pb::NamespaceView& view) {
  const pb::Namespace& space = view.namespace_();
  std::string text = fmt::format(
      R"({{"name":{},"initial_shard_count":{},"replication_factor":{},"notifications_enabled":{},"key_sorting":{},"shards":[)",
      json_quoted(space.name()), space.initial_shard_count(), space.replication_factor(), space.notifications_enabled(),
      json_quoted(space.key_sorting()));
  const char* separator = "";
  for (const auto& [id, shard] : shards_of(view)) {
    text += fmt::format(R"({}{{"shard":{},"term":{},"leader":{},"min_hash":{},"max_hash":{}}})", std::exchange(separator, ","),
                        id, shard.term(), json_quoted(shard.leader().name()), shard.int32_hash_range().min(),
                        shard.int32_hash_range().max());
  }
  return text + "]}";
}

// `lead` stands before the first line, `indent` before the others.
std::string yaml(const pb::NamespaceView& view, std::string_view lead, std::string_view indent) {
  const pb::Namespace& space = view.namespace_();
  std::string text = fmt::format("{}name: {}\n", lead, json_quoted(space.name()));
  text += fmt::format("{}initial_shard_count: {}\n", indent, space.initial_shard_count());
  text += fmt::format("{}replication_factor: {}\n", indent, space.replication_factor());
  text += fmt::format("{}notifications_enabled: {}\n", indent, space.notifications_enabled());
  text += fmt::format("{}key_sorting: {}\n{}shards:\n", indent, space.key_sorting(), indent);
  for (const auto& [id, shard] : shards_of(view)) {
    text += fmt::format("{}  - {{shard: {}, term: {}, leader: {}, min_hash: {}, max_hash: {}}}\n", indent, id, shard.term(),
                        json_quoted(shard.leader().name()), shard.int32_hash_range().min(), shard.int32_hash_range().max());
  }
  return text;
}

}  // namespace

AdminFormat parse_admin_format(std::string_view name) {
  if (name == "json") return AdminFormat::json;
  if (name == "yaml") return AdminFormat::yaml;
  return name == "name" ? AdminFormat::name : AdminFormat::table;
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}", row[i], widths[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string namespaces_text(const std::vector<pb::NamespaceView>& namespaces, AdminFormat format) {
  std::string text;
  std::vector<std::vector<std::string>> rows{{"NAME", "INITIAL_SHARDS", "REPLICATION_FACTOR", "NOTIFICATIONS", "KEY_SORTING"}};
  const char* separator = "";
  for (const pb::NamespaceView& each : namespaces) {
    switch (format) {
      case AdminFormat::table: rows.push_back(row(each)); break;
      case AdminFormat::json: text += std::exchange(separator, ",\n ") + namespace_json(each); break;
      case AdminFormat::yaml: text += yaml(each, "- ", "  "); break;
      case AdminFormat::name: text += each.namespace_().name() + "\n"; break;
    }
  }
  if (format == AdminFormat::json) return "[" + text + "]\n";
  return format == AdminFormat::table ? table_text(rows) : text;
}

std::string namespace_text(const pb::NamespaceView& space, AdminFormat format) {
  switch (format) {
    case AdminFormat::json: return namespace_json(space) + "\n";
    case AdminFormat::yaml: return yaml(space, "", "");
    case AdminFormat::name: return space.namespace_().name() + "\n";
    case AdminFormat::table: break;
  }
  std::vector<std::vector<std::string>> rows{{"SHARD", "TERM", "LEADER", "MIN_HASH", "MAX_HASH"}};
  for (const auto& [id, shard] : shards_of(space)) {
    rows.push_back({fmt::to_string(id), fmt::to_string(shard.term()), shard.leader().name(),
                    fmt::to_string(shard.int32_hash_range().min()), fmt::to_string(shard.int32_hash_range().max())});
  }
  return namespaces_text({space}, AdminFormat::table) + "\n" + table_text(rows);
}

}  // namespace skerry::node
