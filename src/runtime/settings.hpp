// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "runtime/setting_value.hpp"

namespace CLI {
class App;
class Option;
}   // namespace CLI

namespace skerry {

// One declared setting. The functions of Settings::add() return it, to say more:
//   settings.add("storage.wal.retention-time", options.retention, "How long entries are kept.")
//       .flags("--wal-retention-time").limits(1min, 365 * 24h);
class Setting {
 public:
  Setting& flags(std::string names) { return flags_ = std::move(names), *this; }   // as CLI11 writes them: "-p,--public-addr"
  Setting& also(std::string key) { return aliases_.push_back(std::move(key)), *this; }   // what other programs' files call it
  Setting& unit(Unit unit);                                                        // of an integer: a size, by default from 0
  template <class Min, class Max>
  Setting& limits(Min min, Max max) {
    return set_limits(to_number(min), to_number(max));
  }
  Setting& choices(std::vector<std::string> choices) { return choices_ = std::move(choices), *this; }
  Setting& secret() { return secret_ = true, *this; }                              // show() hides it

  const std::string& key() const { return key_; }
  const std::string& origin() const { return origin_; }   // "default", "conf.yaml:12", "environment SKERRY_X", "flag --x"

 private:
  friend class Settings;
  friend class SettingsFile;
  using Number = long double;   // holds every std::int64_t
  template <class Value>
  static Number to_number(Value value) {
    if constexpr (std::is_arithmetic_v<Value>) {
      return static_cast<Number>(value);
    } else {
      return static_cast<Number>(Duration(value).count());
    }
  }
  Setting& set_limits(Number min, Number max) { return min_ = min, max_ = max, *this; }
  SettingKind kind() const { return static_cast<SettingKind>(default_.index()); }
  Result<> check(const SettingValue& value) const;
  std::string range_text() const;                       // "1MiB to 1GiB", "" when there is nothing to say
  std::string number_text(Number number) const;
  std::string environment_name() const;                 // SKERRY_STORAGE_WAL_DIR
  std::string flag_names() const;
  std::string flag_help() const;

  std::string key_, help_, flags_, origin_ = "default";
  Unit unit_ = Unit::none;
  SettingValue default_, value_;
  Number type_min_ = 0, type_max_ = 0;                  // what the target can hold
  std::optional<Number> min_, max_;
  std::vector<std::string> choices_, aliases_;
  bool secret_ = false;
  std::function<void(const SettingValue&)> store_;
  CLI::Option* option_ = nullptr;
};

// Where values come from; later ones win: file, environment, flags.
struct SettingSources {
  std::string file_name;                    // for messages
  std::optional<std::string> file_text;     // YAML
  std::vector<std::string> environment;     // "NAME=value"
};

// The settings of a process or a subcommand: declared once, each bound to a field whose value at that time is the default, then
// loaded from all sources. Used by main before the cores run; the fields must outlive it.
class Settings {
 public:
  Settings() = default;
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  // `key` is a path of sections with dots, in lower case with dashes. The kind is the field's: bool, integers, double, Duration,
  // std::string, std::vector<std::string>. Integers and durations have no negative values unless limits() allows them.
  template <class Field>
  Setting& add(std::string key, Field& field, std::string help);

  // Makes a flag of every setting. `app` must live until load().
  void add_flags(CLI::App& app);

  // Takes everything from the sources and the flags, checks it, and only when all is well writes the fields. Otherwise the text
  // has one line for each mistake, with key, value, what is allowed, and where it stands.
  Result<> load(const SettingSources& sources);
  // What was odd and no mistake: variables named SKERRY_… that nothing reads.
  const std::vector<std::string>& warnings() const { return warnings_; }

  std::string schema(std::string_view title) const;   // JSON schema of the YAML file
  std::string show() const;   // effective values as YAML, each with its origin

 private:
  friend class SettingsFile;
  Setting& declare(std::string key, SettingValue initial, std::string help, std::function<void(const SettingValue&)> store);
  Setting* find(std::string_view key);
  bool is_section(std::string_view path) const;
  std::string nearest(std::string_view key) const;   // " (did you mean x?)" or nothing
  void take(Setting& setting, Result<SettingValue> value, std::string origin, std::string_view where);
  void take_environment(const std::vector<std::string>& environment);
  void take_flags();
  void mistake(std::string_view where, std::string_view text);

  std::deque<Setting> settings_;   // in the order of declaration; addresses stay
  std::vector<std::string> mistakes_, warnings_;
};

// The whole text of a configuration file, at most 1 MiB.
Result<std::string> read_settings_file(const std::string& path);
// The process's environment as SettingSources takes it.
std::vector<std::string> process_environment();

template <class Field>
Setting& Settings::add(std::string key, Field& field, std::string help) {
  if constexpr (std::integral<Field> && !std::same_as<Field, bool>) {
    auto& setting = declare(std::move(key), static_cast<std::int64_t>(field), std::move(help),
                            [&field](const SettingValue& value) { field = static_cast<Field>(std::get<std::int64_t>(value)); });
    setting.type_max_ = std::min(static_cast<Setting::Number>(std::numeric_limits<Field>::max()), setting.type_max_);
    return setting;
  } else {
    return declare(std::move(key), SettingValue(field), std::move(help),
                   [&field](const SettingValue& value) { field = std::get<Field>(value); });
  }
}

}   // namespace skerry
