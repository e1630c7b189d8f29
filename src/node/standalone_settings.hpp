// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "node/serving_settings.hpp"
#include "node/standalone.hpp"
#include "runtime/settings.hpp"

namespace skerry::node {

// Everything that can be set of a standalone process, with its defaults: once declared in Settings, it is a key of the YAML file,
// a variable SKERRY_… and a flag. The flags that Oxia's standalone has keep its names.
class StandaloneSettings {
 public:
  StandaloneSettings();
  Settings& settings() { return settings_; }
  // After settings().load(): what is contradictory or malformed as a whole is found here.
  Result<StandaloneOptions> options() const;
  Result<LogOptions> log_options() const { return serving_.log_options(); }

 private:
  void declare_namespaces();
  Result<std::vector<NamespaceWish>> namespaces() const;
  bool given(const Setting& setting) const { return setting.origin() != "default"; }

  Settings settings_;
  ServingSettings serving_;
  std::uint32_t shards_ = 1;
  bool notifications_ = true;
  std::string key_sorting_ = "hierarchical";
  std::vector<std::string> namespaces_;
  const Setting* shards_setting_ = nullptr;
  const Setting* notifications_setting_ = nullptr;
  const Setting* key_sorting_setting_ = nullptr;
};

// "NAME[:SHARDS[:hierarchical|natural]]"
Result<NamespaceWish> parse_namespace(const std::string& text);

}   // namespace skerry::node
