// SPDX-License-Identifier: Apache-2.0
#include "node/standalone_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/limits.hpp"
#include "control/cluster_config.hpp"

namespace skerry::node {
namespace {

store::KeyOrder order_of(std::string_view name) {
  return name == "natural" ? store::KeyOrder::natural : store::KeyOrder::hierarchical;
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
  TRYV(control::check_namespace_name(wish.name));
  if (first == std::string::npos) return wish;
  const std::size_t second = text.find(':', first + 1);
  const std::string count = text.substr(first + 1, second == std::string::npos ? second : second - first - 1);
  std::uint32_t shards = 0;
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), shards);
  if (error != std::errc{} || end != count.data() + count.size()) return wrong("its number of shards is no number");
  if (shards == 0 || shards > limits::namespace_shards_max)
    return wrong(fmt::format("it can have 1 to {} shards", limits::namespace_shards_max));
  wish.shards = shards;
  if (second == std::string::npos) return wish;
  const std::string order = text.substr(second + 1);
  if (order != "hierarchical" && order != "natural") return wrong("its key order is neither hierarchical nor natural");
  wish.order = order_of(order);
  return wish;
}

StandaloneSettings::StandaloneSettings()
    : serving_("./data",
               "How many cores (\"2\"), or which processors (\"0,2\", \"0-3\", pinned); empty: one for each shard, at most "
               "the machine's.") {
  serving_.declare_ports(settings_);
  declare_namespaces();
  serving_.declare_storage(settings_);
  serving_.declare_process(settings_);
  serving_.declare_insight(settings_);
}

void StandaloneSettings::declare_namespaces() {
  shards_setting_ = &settings_.add("shards", shards_, "Shards of the namespace \"default\"; fixed when the data folder is made.")
                         .flags("-s,--shards")
                         .limits(1, limits::namespace_shards_max);
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
  TRY(ServingSettings::Values serving, serving_.values());
  TRYV(check_distinct({{"--public-addr", serving.public_address}, {"--metrics-addr", serving.admin_address}}));
  TRY(options.namespaces, namespaces());
  options.public_address = std::move(serving.public_address);
  options.admin_address = std::move(serving.admin_address);
  options.json_api = serving.json_api;
  options.insecure = serving.insecure;
  options.security = std::move(serving.security);
  options.tracing = std::move(serving.tracing);
  options.data_folder = std::move(serving.data_folder);
  options.cores = std::move(serving.cores);
  options.pin = serving.pin;
  options.storage.node = std::move(serving.storage);
  options.app = std::move(serving.app);
  return options;
}

}  // namespace skerry::node
