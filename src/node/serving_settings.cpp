// SPDX-License-Identifier: Apache-2.0
#include "node/serving_settings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::node {
namespace {

constexpr const char* off = "none";

bool is_every_host(const std::string& host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

bool collide(const net::Address& one, const net::Address& other) {
  const auto host = [](const net::Address& each) { return each.host == "localhost" ? "127.0.0.1" : each.host; };
  if (one.port == 0 || one.port != other.port) return false;   // 0: each gets a free one
  return is_every_host(one.host) || is_every_host(other.host) || host(one) == host(other);
}

}  // namespace

Result<> check_distinct(const std::vector<FlaggedAddress>& addresses) {
  for (auto one = addresses.begin(); one != addresses.end(); ++one) {
    for (auto other = one + 1; other != addresses.end(); ++other) {
      if (!one->address || !other->address || !collide(*one->address, *other->address)) continue;
      return fail(Errc::invalid_argument, fmt::format("{} {} and {} {} are the same port: give each a port of its own", one->flag,
                                                      one->address->text(), other->flag, other->address->text()));
    }
  }
  return {};
}

Result<net::Address> address_setting(const std::string& text, std::string_view key) {
  Result<net::Address> address = net::Address::parse(text);
  if (!address) return fail(address.error().code, fmt::format("{}: {}", key, address.error().message()));
  return address;
}

void LoggingSettings::declare(Settings& settings) {
  settings.add("log.level", level_, "trace, debug, info, warn, error or off; also per module: \"info,storage=debug\".")
      .flags("-l,--log-level")
      .also("observability.log.level");
  settings.add("log.json", json_, "Log lines as JSON.").flags("-j,--log-json");
}

Result<LogOptions> LoggingSettings::options() const {
  LogOptions options;
  options.format = json_ ? LogFormat::json : LogFormat::text;
  Result<LogLevels> levels = LogLevels::parse(level_);
  if (!levels) return fail(levels.error().code, fmt::format("log.level: {}", levels.error().message()));
  options.levels = *std::move(levels);
  return options;
}

void ServingSettings::declare_ports(Settings& settings) {
  settings.add("public.address", public_address_, "Where clients connect, host:port. Loopback unless you say otherwise.")
      .flags("-p,--public-addr")
      .also("server.public.bindAddress");
  settings
      .add("metrics.address", metrics_address_,
           "Where GET /metrics, /healthz, /readyz and PUT /log-level are answered, host:port; \"none\" for nowhere.")
      .flags("-m,--metrics-addr")
      .also("observability.metric.bindAddress");
  settings.add("metrics.enabled", metrics_enabled_, "Whether they are answered at all.")
      .flags("--metrics-enabled")
      .also("observability.metric.enabled");
  settings.add("insecure", insecure_, "Say nothing about an address that other machines can reach without authentication.")
      .flags("--insecure");
  security_.declare(settings);
}

void ServingSettings::declare_insight(Settings& settings) {
  settings
      .add("json-api", json_api_,
           "Whether the metrics port answers every method as JSON at /api. auto: where only this machine reaches that port, or "
           "callers are asked who they are.")
      .flags("--json-api")
      .choices({"auto", "on", "off"});
  settings
      .add("tracing.endpoint", tracing_.endpoint,
           "Where spans of requests are sent, http://HOST:PORT of a collector that understands OTLP; empty: what "
           "OTEL_EXPORTER_OTLP_ENDPOINT says, otherwise nowhere; \"none\": nowhere.")
      .flags("--tracing-endpoint");
  settings
      .add("tracing.sample-ratio", tracing_.ratio,
           "How many of the requests that come without a trace of their own are traced, 0 to 1; the others as their callers ask.")
      .flags("--tracing-sample-ratio")
      .limits(0.0, 1.0);
}

void ServingSettings::declare_storage(Settings& settings) {
  settings.add("storage.data-dir", data_dir_, "The data folder; made when it is not there.")
      .flags("--data-dir")
      .also("storage.database.dir");
  settings.add("storage.wal.dir", wal_dir_, "Keep the logs in this folder, for a disk of their own; empty: in the data folder.")
      .flags("--wal-dir");
  settings
      .add("storage.wal.sync-data", wal_sync_,
           "Sync every write to disk before it is acknowledged. Without it a power failure loses what the system had not yet "
           "written, up to half a minute of acknowledged writes; a crash of the process alone loses nothing.")
      .flags("--wal-sync-data")
      .also("storage.wal.sync");
  settings.add("storage.wal.retention-time", wal_retention_, "How long log entries are kept for followers of changes.")
      .flags("--wal-retention-time")
      .also("storage.wal.retention")
      .limits(1s, 10 * 365 * 24h);
  settings
      .add("storage.wal.retention-bytes", wal_retention_bytes_,
           "How many bytes of log are kept at most; the smaller of both wins.")
      .flags("--wal-retention-bytes")
      .unit(Unit::bytes)
      .limits(64LL << 20, 1LL << 50);
  settings
      .add("notifications.retention-time", notifications_retention_,
           "How far back changes can be followed; never further than the log is kept.")
      .flags("--notifications-retention-time")
      .also("storage.notification.retention")
      .limits(1s, 10 * 365 * 24h);
  settings.add("storage.db-cache-size-mb", cache_bytes_, "Memory for cached and not yet written records, of the whole process.")
      .flags("--db-cache-size-mb")
      .also("storage.database.readCacheSizeMB")
      .unit(Unit::mebibytes)
      .limits(8LL << 20, 1LL << 40);
}

void ServingSettings::declare_process(Settings& settings) {
  settings.add("cores", cores_, cores_help_).flags("--cores");
  settings.add("pin", pin_, "Pin cores to processors also when only their number is given.").flags("--pin");
  settings
      .add("busy-wait", busy_wait_,
           "Let an idle core look for work this long before it sleeps: lower latency for more processor time.")
      .flags("--busy-wait")
      .limits(0s, 1s);
  logging_.declare(settings);
}

Result<ServingSettings::Values> ServingSettings::values() const {
  Values values;
  TRY(values.public_address, address_setting(public_address_, "public.address"));
  if (metrics_enabled_ && metrics_address_ != off && !metrics_address_.empty()) {
    TRY(values.admin_address, address_setting(metrics_address_, "metrics.address"));
  }
  if (data_dir_.empty()) return fail(Errc::invalid_argument, "storage.data-dir: name a folder");
  if (!cores_.empty()) TRYV(CorePlacement::parse(cores_, pin_));   // refused here, so that `config check` refuses it too
  values.insecure = insecure_;
  TRY(values.security, security_.options());
  values.json_api = json_api_ == "on" ? ServeJson::yes : json_api_ == "off" ? ServeJson::no : ServeJson::by_itself;
  TRYV(tracing_options(tracing_, {}));
  values.tracing = tracing_;
  values.data_folder = data_dir_;
  values.cores = cores_;
  values.pin = pin_ || cores_.find_first_of(",-") != std::string::npos;
  values.storage.log_folder = wal_dir_;
  values.storage.log.durable = wal_sync_ ? disk::Durable::yes : disk::Durable::no;
  values.storage.group.wal_retention_time = std::min(wal_retention_, notifications_retention_);
  values.storage.group.wal_retention_bytes = static_cast<std::uint64_t>(wal_retention_bytes_);
  values.storage.engine.cache_bytes = static_cast<std::uint64_t>(cache_bytes_);
  values.app.busy_wait = busy_wait_;
  return values;
}

}  // namespace skerry::node
