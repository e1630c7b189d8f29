// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "node/node_storage.hpp"
#include "node/security_settings.hpp"
#include "node/standalone.hpp"
#include "node/tracing_options.hpp"
#include "runtime/app.hpp"
#include "runtime/settings.hpp"

namespace skerry::node {

// How a process logs.
class LoggingSettings {
 public:
  void declare(Settings& settings);
  Result<LogOptions> options() const;

 private:
  std::string level_ = "info";
  bool json_ = false;
};

// The settings that every process which serves data has, with their defaults. The flags that Oxia's programs have keep their
// names, and the keys of its files are taken, too.
class ServingSettings {
 public:
  ServingSettings(std::string data_dir, std::string cores_help)
      : data_dir_(std::move(data_dir)), cores_help_(std::move(cores_help)) {}
  void declare_ports(Settings& settings);
  void declare_internal(Settings& settings, const std::string& also) { security_.declare_internal(settings, also); }
  void declare_insight(Settings& settings);
  void declare_storage(Settings& settings);
  void declare_process(Settings& settings);

  // What they say, after the settings were loaded.
  struct Values {
    net::Address public_address;
    std::optional<net::Address> admin_address;
    bool insecure = false;
    SecurityOptions security;
    ServeJson json_api = ServeJson::by_itself;
    TracingWish tracing;
    std::string data_folder, cores;
    bool pin = false;
    NodeStorageOptions storage;
    AppOptions app;
  };
  Result<Values> values() const;
  Result<LogOptions> log_options() const { return logging_.options(); }

 private:
  std::string public_address_ = "127.0.0.1:6648";
  std::string metrics_address_ = "127.0.0.1:8080";
  bool metrics_enabled_ = true;
  bool insecure_ = false;
  SecuritySettings security_;
  std::string json_api_ = "auto";
  TracingWish tracing_;
  std::string data_dir_;
  std::string wal_dir_;
  bool wal_sync_ = true;
  Duration wal_retention_ = 1h;
  std::int64_t wal_retention_bytes_ = 1LL << 30;
  Duration notifications_retention_ = 1h;
  std::int64_t cache_bytes_ = 100LL << 20;
  std::string cores_, cores_help_;
  bool pin_ = false;
  Duration busy_wait_{};
  LoggingSettings logging_;
};

// Fails with invalid_argument when two of a process's addresses, each with the flag that sets it, are one.
struct FlaggedAddress {
  std::string_view flag;
  std::optional<net::Address> address;   // nothing: nobody listens
};
Result<> check_distinct(const std::vector<FlaggedAddress>& addresses);

// With the key in the text of a failure.
Result<net::Address> address_setting(const std::string& text, std::string_view key);

}   // namespace skerry::node
