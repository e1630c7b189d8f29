// SPDX-License-Identifier: Apache-2.0
#include "node/cli_document.hpp"

#include <boost/json.hpp>

#include "runtime/quoting.hpp"

namespace skerry::node {
namespace {

namespace json = boost::json;

std::string scalar(const json::value& value) {
  return value.is_string() ? json_quoted(std::string_view(value.get_string())) : json::serialize(value);
}

bool is_block(const json::value& value) {
  return (value.is_object() && !value.get_object().empty()) || (value.is_array() && !value.get_array().empty());
}

void append_yaml(std::string& text, const json::value& value, std::size_t indent);

// What stands behind "name:" or "-".
void append_below(std::string& text, const json::value& value, std::size_t indent) {
  if (!is_block(value)) {
    text += " " + scalar(value) + "\n";
    return;
  }
  text += "\n";
  append_yaml(text, value, indent);
}

void append_yaml(std::string& text, const json::value& value, std::size_t indent) {
  const std::string margin(indent, ' ');
  if (!is_block(value)) {
    text += margin + scalar(value) + "\n";
  } else if (value.is_object()) {
    for (const auto& [name, member] : value.get_object()) {
      text += margin + std::string(name) + ":";
      append_below(text, member, indent + 2);
    }
  } else {
    for (const json::value& each : value.get_array()) {
      text += margin + "-";
      if (!each.is_object() || each.get_object().empty()) {
        append_below(text, each, indent + 2);
        continue;
      }
      std::string members;   // the first stands on the line of the dash
      append_yaml(members, each, indent + 2);
      text += " " + members.substr(indent + 2);
    }
  }
}

}  // namespace

std::string document_text(const json::value& value, AdminFormat format) {
  if (format == AdminFormat::json) return json::serialize(value) + "\n";
  std::string text;
  append_yaml(text, value, 0);
  return text;
}

}  // namespace skerry::node
