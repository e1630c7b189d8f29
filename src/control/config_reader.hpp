// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace skerry::control {

// Reads a YAML document field by field and keeps the first thing that is wrong with it, with its line; what is read after that
// means nothing.
class ConfigReader {
 public:
  // Whole numbers between these, both included.
  struct Bounds {
    std::uint32_t min = 0;
    std::uint32_t max = UINT32_MAX;
  };

  // A map with no other keys than these. False: it is none, or absent.
  bool map(const YAML::Node& node, const std::string& what, const std::vector<std::string>& keys);
  bool list(const YAML::Node& node, const std::string& what);

  std::string text(const YAML::Node& map, const char* key, const std::string& what);   // must be there
  std::optional<std::string> optional_text(const YAML::Node& map, const char* key, const std::string& what);
  std::uint32_t number(const YAML::Node& map, const char* key, const std::string& what, Bounds bounds, std::uint32_t otherwise);
  bool boolean(const YAML::Node& map, const char* key, const std::string& what, bool otherwise);
  Duration duration(const YAML::Node& map, const char* key, const std::string& what, Duration otherwise);
  std::string scalar(const YAML::Node& node, const std::string& what);

  void refuse(const YAML::Node& where, const std::string& why);
  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }   // "line 3: …"

 private:
  std::string error_;
};

}   // namespace skerry::control
