// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "node/security_settings.hpp"
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
  Result<LogOptions> log_options() const;

 private:
  void declare_serving();
  void declare_storage();
  void declare_process();
  void declare_insight();
  Result<std::vector<NamespaceWish>> namespaces() const;
  bool given(const Setting& setting) const { return setting.origin() != "default"; }

  Settings settings_;
  std::string public_address_ = "127.0.0.1:6648";
  std::string metrics_address_ = "127.0.0.1:8080";
  bool insecure_ = false;
  SecuritySettings security_;
  std::string json_api_ = "auto";
  TracingWish tracing_;
  std::uint32_t shards_ = 1;
  bool notifications_ = true;
  std::string key_sorting_ = "hierarchical";
  std::vector<std::string> namespaces_;
  std::string data_dir_ = "./data";
  std::string wal_dir_;
  bool wal_sync_ = true;
  Duration wal_retention_ = 1h;
  std::int64_t wal_retention_bytes_ = 1LL << 30;
  Duration notifications_retention_ = 1h;
  std::int64_t cache_bytes_ = 100LL << 20;
  std::string cores_;
  bool pin_ = false;
  Duration busy_wait_{};
  std::string log_level_ = "info";
  bool log_json_ = false;
  const Setting* shards_setting_ = nullptr;
  const Setting* notifications_setting_ = nullptr;
  const Setting* key_sorting_setting_ = nullptr;
};

// "NAME[:SHARDS[:hierarchical|natural]]"
Result<NamespaceWish> parse_namespace(const std::string& text);

}   // namespace skerry::node
