// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "runtime/settings.hpp"

namespace YAML {
class Node;
}

namespace skerry {

// Reads a YAML file into Settings. Made and used by Settings::load().
class SettingsFile {
 public:
  SettingsFile(Settings& settings, std::string name) : settings_(settings), name_(std::move(name)) {}
  void take(const std::string& text);

 private:
  void take_section(const YAML::Node& section, const std::string& path);
  void take_value(Setting& setting, const YAML::Node& value);
  std::string place(const YAML::Node& node) const;   // "conf.yaml:12"

  Settings& settings_;
  const std::string name_;
};

}  // namespace skerry
