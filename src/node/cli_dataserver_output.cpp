// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>

#include "node/cli_admin_output.hpp"
#include "node/cli_document.hpp"

namespace skerry::node {
namespace {

namespace pb = io::oxia::proto::v1;
namespace json = boost::json;

std::string identity(const pb::DataServerView& view) {
  const pb::DataServerIdentity& of = view.data_server().identity();
  return of.name().empty() ? of.internal() : of.name();
}

std::string state(const pb::DataServerView& view) {
  switch (view.data_server_status().state()) {
    case pb::DATA_SERVER_STATE_RUNNING: return "RUNNING";
    case pb::DATA_SERVER_STATE_UNAVAILABLE: return "UNAVAILABLE";
    case pb::DATA_SERVER_STATE_DRAINING: return "DRAINING";
    default: return "UNKNOWN";
  }
}

// In order; protobuf's map has none.
std::map<std::string, std::string> labels(const pb::DataServerView& view) {
  const auto& of = view.data_server().metadata().labels();
  return {of.begin(), of.end()};
}

json::object value_of(const pb::DataServerView& view) {
  json::object of_labels;
  for (const auto& [label, value] : labels(view)) of_labels[label] = value;
  return {{"name", identity(view)},
          {"public", view.data_server().identity().public_()},
          {"internal", view.data_server().identity().internal()},
          {"state", state(view)},
          {"labels", std::move(of_labels)}};
}

std::vector<std::string> row_of(const pb::DataServerView& view) {
  const pb::DataServerIdentity& of = view.data_server().identity();
  return {identity(view), of.public_(), of.internal(), state(view)};
}

const std::vector<std::string> head{"NAME", "PUBLIC", "INTERNAL", "STATE"};

}  // namespace

std::string data_servers_text(const std::vector<pb::DataServerView>& servers, AdminFormat format) {
  json::array values;
  std::string names;
  std::vector<std::vector<std::string>> rows{head};
  for (const pb::DataServerView& each : servers) {
    values.push_back(value_of(each));
    names += identity(each) + "\n";
    rows.push_back(row_of(each));
  }
  if (format == AdminFormat::name) return names;
  return format == AdminFormat::table ? table_text(rows) : document_text(values, format);
}

std::string data_server_text(const pb::DataServerView& server, AdminFormat format) {
  if (format == AdminFormat::name) return identity(server) + "\n";
  if (format != AdminFormat::table) return document_text(value_of(server), format);
  std::string text = table_text({head, row_of(server)});
  for (const auto& [label, value] : labels(server)) text += fmt::format("label {}={}\n", label, value);
  return text;
}

}  // namespace skerry::node
