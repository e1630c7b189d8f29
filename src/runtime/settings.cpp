// SPDX-License-Identifier: Apache-2.0
#include "runtime/settings.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/nearest.hpp"
#include "runtime/quoting.hpp"
#include "runtime/settings_file.hpp"

namespace skerry {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::string_view environment_prefix = "SKERRY_";

bool is_key(std::string_view key) {
  return !key.empty() &&
         std::ranges::all_of(key,
                             [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; }) &&
         key.front() != '.' && key.back() != '.' && key.find("..") == std::string_view::npos;
}

}  // namespace

Setting& Setting::unit(Unit unit) {
  SKERRY_ASSERT(kind() == SettingKind::integer);
  unit_ = unit;
  return *this;
}

std::string Setting::number_text(Number number) const {
  if (kind() == SettingKind::duration) return duration_text(Duration(static_cast<std::int64_t>(number)));
  if (kind() == SettingKind::real) return fmt::to_string(static_cast<double>(number));
  return setting_text(SettingValue(static_cast<std::int64_t>(number)), unit_);
}

std::string Setting::range_text() const {
  if (!choices_.empty()) return fmt::format("{}", fmt::join(choices_, ", "));
  if (!min_ && !max_) return {};
  return number_text(min_.value_or(type_min_)) + " to " + number_text(max_.value_or(type_max_));
}

Result<> Setting::check(const SettingValue& value) const {
  std::optional<Number> number;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) number = static_cast<Number>(*integer);
  if (const auto* real = std::get_if<double>(&value)) number = static_cast<Number>(*real);
  if (const auto* duration = std::get_if<Duration>(&value)) number = static_cast<Number>(duration->count());
  const Number min = min_.value_or(type_min_), max = max_.value_or(type_max_);
  if (number && (*number < min || *number > max)) {
    return fail(Errc::invalid_argument, fmt::format("{} is out of range; allowed is {} to {}", setting_text(value, unit_),
                                                    number_text(min), number_text(max)));
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr && !choices_.empty() && std::ranges::find(choices_, *text) == choices_.end()) {
    return fail(Errc::invalid_argument, fmt::format("{} is not among what is allowed: {}", printable(*text), range_text()));
  }
  return {};
}

std::string Setting::environment_name() const {
  std::string name(environment_prefix);
  for (const char c : key_) name += c == '.' || c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string Setting::flag_names() const {
  if (!flags_.empty()) return flags_;
  std::string name = key_;
  std::ranges::replace(name, '.', '-');
  // What is on by default needs a way to be turned off.
  if (const bool* on = std::get_if<bool>(&default_); on != nullptr && *on) return fmt::format("--{0},!--no-{0}", name);
  return "--" + name;
}

std::string Setting::flag_help() const {
  std::string text = help_ + " [";
  const std::string value = setting_text(default_, unit_);
  if (!value.empty() && !secret_) text += "default " + value + "; ";
  if (const std::string range = range_text(); !range.empty()) text += range + "; ";
  return text + environment_name() + "]";
}

Setting& Settings::declare(std::string key, SettingValue initial, std::string help,
                           std::function<void(const SettingValue&)> store) {
  SKERRY_ASSERT(is_key(key) && find(key) == nullptr && !is_section(key));
  Setting& setting = settings_.emplace_back();
  setting.key_ = std::move(key);
  setting.help_ = std::move(help);
  setting.default_ = setting.value_ = std::move(initial);
  setting.store_ = std::move(store);
  setting.type_max_ = static_cast<Setting::Number>(std::numeric_limits<std::int64_t>::max());
  if (setting.kind() == SettingKind::real) {
    setting.type_min_ = static_cast<Setting::Number>(std::numeric_limits<double>::lowest());
    setting.type_max_ = static_cast<Setting::Number>(std::numeric_limits<double>::max());
  }
  return setting;
}

Setting* Settings::find(std::string_view key) {
  const auto found = std::ranges::find_if(settings_, [key](const Setting& setting) {
    return setting.key_ == key || std::ranges::find(setting.aliases_, key) != setting.aliases_.end();
  });
  return found == settings_.end() ? nullptr : &*found;
}

bool Settings::is_section(std::string_view path) const {
  const auto is_below = [path](const std::string& key) {
    return key.size() > path.size() && key.starts_with(path) && key[path.size()] == '.';
  };
  return std::ranges::any_of(settings_, [&](const Setting& setting) {
    return is_below(setting.key_) || std::ranges::any_of(setting.aliases_, is_below);
  });
}

std::string Settings::nearest(std::string_view key) const {
  std::string best;
  // More than a third of the letters wrong is no slip of the pen.
  std::size_t best_distance = std::max<std::size_t>(2, key.size() / 3) + 1;
  const auto consider = [&](std::string_view candidate) {
    const std::size_t distance = edit_distance(key.substr(0, 256), candidate);
    if (distance >= best_distance) return;
    best_distance = distance;
    best = candidate;
  };
  for (const Setting& setting : settings_) {
    const std::string_view name = setting.key_;
    for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) consider(name.substr(0, dot));
    consider(name);
    // The right name in the wrong section.
    if (name.substr(name.rfind('.') + 1) == key.substr(key.rfind('.') + 1) && best.empty()) best = name;
  }
  return best.empty() ? std::string() : fmt::format("; did you mean {}?", best);
}

void Settings::mistake(std::string_view where, std::string_view text) { mistakes_.push_back(fmt::format("{}: {}", where, text)); }

void Settings::take(Setting& setting, Result<SettingValue> value, std::string origin, std::string_view where) {
  if (!value) return mistake(where, fmt::format("{}: {}", setting.key_, value.error().message()));
  if (const auto fits = setting.check(*value); !fits)
    return mistake(where, fmt::format("{}: {}", setting.key_, fits.error().message()));
  setting.value_ = *std::move(value);
  setting.origin_ = std::move(origin);
}

void Settings::take_environment(const std::vector<std::string>& environment) {
  for (const std::string_view variable : environment) {
    if (!variable.starts_with(environment_prefix)) continue;
    const auto equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = variable.substr(0, equals);
    const auto setting = std::ranges::find_if(settings_, [name](const Setting& each) { return each.environment_name() == name; });
    if (setting == settings_.end()) {
      // No mistake: Kubernetes sets SKERRY_SERVICE_HOST and the like for a service of our name.
      warnings_.push_back(fmt::format("environment: {} is no setting of this command", name));
      continue;
    }
    const std::string where = fmt::format("environment {}", name);
    take(*setting, parse_setting(setting->kind(), setting->unit_, variable.substr(equals + 1)), where, where);
  }
}

void Settings::add_flags(CLI::App& app) {
  for (Setting& setting : settings_) {
    static constexpr const char* type_names[] = {"", "NUMBER", "NUMBER", "DURATION", "TEXT", "LIST"};
    if (setting.kind() == SettingKind::boolean) {
      setting.option_ = app.add_flag(setting.flag_names())->description(setting.flag_help());
    } else {
      setting.option_ = app.add_option(setting.flag_names(), [](const CLI::results_t&) { return true; }, setting.flag_help());
      const std::string choices = fmt::format("{}", fmt::join(setting.choices_, "|"));
      const char* const type = setting.unit_ == Unit::none ? type_names[setting.default_.index()] : "SIZE";
      setting.option_->type_name(choices.empty() ? type : choices);
      setting.option_->expected(1);
      setting.option_->allow_extra_args(false);
    }
    setting.option_->multi_option_policy(setting.kind() == SettingKind::list ? CLI::MultiOptionPolicy::TakeAll
                                                                             : CLI::MultiOptionPolicy::TakeLast);
  }
}

void Settings::take_flags() {
  for (Setting& setting : settings_) {
    if (setting.option_ == nullptr || setting.option_->count() == 0) continue;
    const auto& given = setting.option_->results();
    const std::string where = "flag " + setting.option_->get_name();
    if (setting.kind() == SettingKind::list) {
      std::vector<std::string> items;
      for (const auto& each : given) {
        for (auto& item : std::get<std::vector<std::string>>(*parse_setting(SettingKind::list, Unit::none, each)))
          items.push_back(std::move(item));
      }
      take(setting, SettingValue(std::move(items)), where, where);
    } else {
      take(setting, parse_setting(setting.kind(), setting.unit_, given.back()), where, where);
    }
  }
}

Result<> Settings::load(const SettingSources& sources) {
  mistakes_.clear();
  warnings_.clear();
  for (Setting& setting : settings_) {
    setting.value_ = setting.default_;
    setting.origin_ = "default";
  }
  if (sources.file_text) SettingsFile(*this, sources.file_name).take(*sources.file_text);
  take_environment(sources.environment);
  take_flags();
  if (!mistakes_.empty()) return fail(Errc::invalid_argument, fmt::format("{}", fmt::join(mistakes_, "\n")));
  for (const Setting& setting : settings_) setting.store_(setting.value_);
  return {};
}

Result<std::string> read_settings_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::not_found, fmt::format("can't read the configuration file {}: {}", path, std::strerror(errno)));
  std::string text(file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(Errc::io_failed, fmt::format("can't read the configuration file {}", path));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > file_bytes_max)
    return fail(Errc::resource_exhausted, fmt::format("the configuration file {} is larger than 1MiB", path));
  return text;
}

std::vector<std::string> process_environment() {
  std::vector<std::string> variables;
  for (char** each = ::environ; each != nullptr && *each != nullptr; ++each) variables.emplace_back(*each);
  return variables;
}

}  // namespace skerry
