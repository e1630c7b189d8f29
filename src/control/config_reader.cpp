// SPDX-License-Identifier: Apache-2.0
#include "control/config_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/nearest.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::control {

bool ConfigReader::map(const YAML::Node& node, const std::string& what, const std::vector<std::string>& keys) {
  if (!node || node.IsNull()) return false;
  if (!node.IsMap()) {
    refuse(node, what + " must be a map of fields");
    return false;
  }
  std::set<std::string> seen;
  for (const auto& field : node) {
    const std::string key = scalar(field.first, "a field's name in " + what);
    if (!seen.insert(key).second) refuse(field.first, fmt::format("{} has \"{}\" twice: leave one out", what, key));
    if (std::ranges::find(keys, key) == keys.end()) {
      refuse(field.first, fmt::format("{} has no field \"{}\"{}", what, key, did_you_mean(key, keys)));
    }
  }
  return !failed();
}

bool ConfigReader::list(const YAML::Node& node, const std::string& what) {
  if (!node || node.IsNull()) return false;
  if (!node.IsSequence()) refuse(node, what + " must be a list: begin each with \"- \"");
  return !failed();
}

std::string ConfigReader::scalar(const YAML::Node& node, const std::string& what) {
  if (node.IsScalar()) return node.Scalar();
  refuse(node, what + " must be a text");
  return {};
}

std::optional<std::string> ConfigReader::optional_text(const YAML::Node& map, const char* key, const std::string& what) {
  const YAML::Node value = map[key];
  if (!value || value.IsNull()) return std::nullopt;
  return scalar(value, fmt::format("\"{}\" of {}", key, what));
}

std::string ConfigReader::text(const YAML::Node& map, const char* key, const std::string& what) {
  const auto value = optional_text(map, key, what);
  if (!value || value->empty()) refuse(map, fmt::format("{} needs \"{}\"", what, key));
  return value.value_or("");
}

std::uint32_t ConfigReader::number(const YAML::Node& map, const char* key, const std::string& what, Bounds bounds,
                                   std::uint32_t otherwise) {
  const auto value = optional_text(map, key, what);
  if (!value) return otherwise;
  std::uint32_t number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error == std::errc() && stop == end && number >= bounds.min && number <= bounds.max) return number;
  refuse(map[key],
         fmt::format("\"{}\" of {} is \"{}\": give a whole number from {} to {}", key, what, *value, bounds.min, bounds.max));
  return otherwise;
}

bool ConfigReader::boolean(const YAML::Node& map, const char* key, const std::string& what, bool otherwise) {
  const auto value = optional_text(map, key, what);
  if (!value) return otherwise;
  if (*value != "true" && *value != "false") {
    refuse(map[key], fmt::format("\"{}\" of {} is \"{}\": give true or false", key, what, *value));
  }
  return *value == "true";
}

Duration ConfigReader::duration(const YAML::Node& map, const char* key, const std::string& what, Duration otherwise) {
  const auto value = optional_text(map, key, what);
  if (!value) return otherwise;
  const auto duration = parse_duration(*value);
  if (duration && *duration > Duration()) return *duration;
  refuse(map[key],
         fmt::format("\"{}\" of {} is \"{}\": give a time above nothing with its unit, such as 30s or 5m", key, what, *value));
  return otherwise;
}

void ConfigReader::refuse(const YAML::Node& where, const std::string& why) {
  if (error_.empty()) error_ = fmt::format("line {}: {}", std::max(where.Mark().line, 0) + 1, why);
}

}  // namespace skerry::control
