// SPDX-License-Identifier: Apache-2.0
#include "node/standalone_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skerry::node {
namespace {

constexpr const char* off = "none";

store::KeyOrder order_of(std::string_view name) {
  return name == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
}

Result<net::Address> address_of(const std::string& text, std::string_view key) {
  Result<net::Address> address = net::Address::parse(text);
  if (!address) return fail(address.error().code, fmt::format("{}: {}", key, address.error().message()));
  return address;
}

}  // namespace

Result<NamespaceWish> parse_namespace(const std::string& text) {
  const auto wrong = [&](std::string_view what) {
    return fail(Errc::invalid_argument,
                fmt::format("namespace \"{}\": {}; expected NAME, NAME:SHARDS or NAME:SHARDS:hierarchical|natural", text, what));
  };
  NamespaceWish wish;
  const std::size_t first = text.find(':');
  wish.name = text.substr(0, first);
  TRYV(check_namespace_name(wish.name));
  if (first == std::string::npos) return wish;
  const std::size_t second = text.find(':', first + 1);
  const std::string count = text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
  std::uint32_t shards = 0;
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), shards);
  if (error != std::errc{} || end != count.data() + count.size()) return wrong("its number of shards is no number");
  if (shards == 0 || shards > shards_max) return wrong(fmt::format("it can have 1 to {} shards", shards_max));
  wish.shards = shards;
  if (second == std::string::npos) return wish;
  const std::string order = text.substr(second + 1);
  if (order != "hierarchical" && order != "natural") return wrong("its key order is neither hierarchical nor natural");
  wish.order = order_of(order);
  return wish;
}

StandaloneSettings::StandaloneSettings() {
  declare_serving();
  declare_storage();
  declare_process();
  declare_insight();
}

void StandaloneSettings::declare_serving() {
  settings_.add("public.address", public_address_, "Where clients connect, host:port. Loopback unless you say otherwise.")
      .flags("-p,--public-addr");
  settings_
      .add("metrics.address", metrics_address_,
           "Where GET /metrics, /healthz, /readyz and PUT /log-level are answered, host:port; \"none\" for nowhere.")
      .flags("-m,--metrics-addr");
  settings_.add("insecure", insecure_, "Say nothing about an address that other machines can reach without authentication.")
      .flags("--insecure");
  security_.declare(settings_);
  shards_setting_ = &settings_.add("shards", shards_, "Shards of the namespace \"default\"; fixed when the data folder is made.")
                         .flags("-s,--shards")
                         .limits(1, shards_max);
  notifications_setting_ =
      &settings_.add("notifications.enabled", notifications_, "Let clients follow changes.").flags("--notifications-enabled");
  key_sorting_setting_ =
      &settings_
           .add("key-sorting", key_sorting_, "Order of keys in the namespace \"default\"; fixed when the data folder is made.")
           .flags("--key-sorting")
           .choices({"hierarchical", "natural"});
  settings_
      .add(
          "namespaces", namespaces_,
          "More namespaces, each NAME, NAME:SHARDS or NAME:SHARDS:hierarchical|natural. Once made they stay, named again or not.")
      .flags("--namespace");
}

void StandaloneSettings::declare_insight() {
  settings_
      .add("json-api", json_api_,
           "Whether the metrics port answers every method as JSON at /api. auto: where only this machine reaches that port, or "
           "callers are asked who they are.")
      .flags("--json-api")
      .choices({"auto", "on", "off"});
  settings_
      .add("tracing.endpoint", tracing_.endpoint,
           "Where spans of requests are sent, http://HOST:PORT of a collector that understands OTLP; empty: what "
           "OTEL_EXPORTER_OTLP_ENDPOINT says, otherwise nowhere; \"none\": nowhere.")
      .flags("--tracing-endpoint");
  settings_
      .add("tracing.sample-ratio", tracing_.ratio,
           "How many of the requests that come without a trace of their own are traced, 0 to 1; the others as their callers ask.")
      .flags("--tracing-sample-ratio")
      .limits(0.0, 1.0);
}

void StandaloneSettings::declare_storage() {
  settings_.add("storage.data-dir", data_dir_, "The data folder; made when it is not there.").flags("--data-dir");
  settings_.add("storage.wal.dir", wal_dir_, "Keep the logs in this folder, for a disk of their own; empty: in the data folder.")
      .flags("--wal-dir");
  settings_
      .add("storage.wal.sync-data", wal_sync_,
           "Sync every write to disk before it is acknowledged. Without it a power failure loses what the system had not yet "
           "written, up to half a minute of acknowledged writes; a crash of the process alone loses nothing.")
      .flags("--wal-sync-data");
  settings_.add("storage.wal.retention-time", wal_retention_, "How long log entries are kept for followers of changes.")
      .flags("--wal-retention-time")
      .limits(1s, 10 * 365 * 24h);
  settings_
      .add("storage.wal.retention-bytes", wal_retention_bytes_,
           "How many bytes of log are kept at most; the smaller of both wins.")
      .flags("--wal-retention-bytes")
      .unit(Unit::bytes)
      .limits(64LL << 20, 1LL << 50);
  settings_
      .add("notifications.retention-time", notifications_retention_,
           "How far back changes can be followed; never further than the log is kept.")
      .flags("--notifications-retention-time")
      .limits(1s, 10 * 365 * 24h);
  settings_.add("storage.db-cache-size-mb", cache_bytes_, "Memory for cached and not yet written records, of the whole process.")
      .flags("--db-cache-size-mb")
      .unit(Unit::mebibytes)
      .limits(8LL << 20, 1LL << 40);
}

void StandaloneSettings::declare_process() {
  settings_
      .add("cores", cores_,
           "How many cores (\"2\"), or which processors (\"0,2\", \"0-3\", pinned); empty: one for each shard, at most "
           "the machine's.")
      .flags("--cores");
  settings_.add("pin", pin_, "Pin cores to processors also when only their number is given.").flags("--pin");
  settings_
      .add("busy-wait", busy_wait_,
           "Let an idle core look for work this long before it sleeps: lower latency for more processor time.")
      .flags("--busy-wait")
      .limits(0s, 1s);
  settings_.add("log.level", log_level_, "trace, debug, info, warn, error or off; also per module: \"info,storage=debug\".")
      .flags("-l,--log-level");
  settings_.add("log.json", log_json_, "Log lines as JSON.").flags("-j,--log-json");
}

Result<std::vector<NamespaceWish>> StandaloneSettings::namespaces() const {
  NamespaceWish first{.name = "default", .shards = {}, .order = {}, .notifications = {}};
  if (given(*shards_setting_)) first.shards = shards_;
  if (given(*key_sorting_setting_)) first.order = order_of(key_sorting_);
  if (given(*notifications_setting_)) first.notifications = notifications_;
  std::vector<NamespaceWish> wishes{first};
  for (const std::string& text : namespaces_) {
    TRY(NamespaceWish wish, parse_namespace(text));
    if (std::ranges::find(wishes, wish.name, &NamespaceWish::name) != wishes.end()) {
      return fail(Errc::invalid_argument,
                  fmt::format("namespace \"{}\" is named twice{}", wish.name,
                              wish.name == "default" ? ": --shards and --key-sorting are its settings" : ""));
    }
    wish.notifications = first.notifications;
    wishes.push_back(std::move(wish));
  }
  return wishes;
}

Result<StandaloneOptions> StandaloneSettings::options() const {
  StandaloneOptions options;
  TRY(options.public_address, address_of(public_address_, "public.address"));
  if (metrics_address_ != off && !metrics_address_.empty()) {
    TRY(options.admin_address, address_of(metrics_address_, "metrics.address"));
  }
  TRY(options.namespaces, namespaces());
  if (data_dir_.empty()) return fail(Errc::invalid_argument, "storage.data-dir: name a folder");
  if (!cores_.empty()) TRYV(CorePlacement::parse(cores_, pin_));   // refused here, so that `config check` refuses it too
  options.insecure = insecure_;
  TRY(options.security, security_.options());
  options.json_api = json_api_ == "on" ? ServeJson::yes : json_api_ == "off" ? ServeJson::no : ServeJson::by_itself;
  TRYV(tracing_options(tracing_, {}));
  options.tracing = tracing_;
  options.data_folder = data_dir_;
  options.cores = cores_;
  options.pin = pin_ || cores_.find_first_of(",-") != std::string::npos;
  options.storage.node.log_folder = wal_dir_;
  options.storage.node.log.durable = wal_sync_ ? disk::Durable::yes : disk::Durable::no;
  options.storage.node.group.wal_retention_time = std::min(wal_retention_, notifications_retention_);
  options.storage.node.group.wal_retention_bytes = static_cast<std::uint64_t>(wal_retention_bytes_);
  options.storage.node.engine.cache_bytes = static_cast<std::uint64_t>(cache_bytes_);
  options.app.busy_wait = busy_wait_;
  return options;
}

Result<LogOptions> StandaloneSettings::log_options() const {
  LogOptions options;
  options.format = log_json_ ? LogFormat::json : LogFormat::text;
  Result<LogLevels> levels = LogLevels::parse(log_level_);
  if (!levels) return fail(levels.error().code, fmt::format("log.level: {}", levels.error().message()));
  options.levels = *std::move(levels);
  return options;
}

}  // namespace skerry::node
