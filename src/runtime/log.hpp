// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "runtime/clock.hpp"

namespace spdlog {
class logger;
}

namespace skerry {

enum class LogLevel : int { trace, debug, info, warn, error, off };
std::string_view name(LogLevel level);   // "info"
std::optional<LogLevel> parse_log_level(std::string_view text);

// One `key=value` of a log line. Borrows its text: build it in the call.
class LogField {
 public:
  using Value = std::variant<std::int64_t, std::uint64_t, double, bool, std::string_view, Duration>;
  template <class T>
  LogField(std::string_view key_, const T& value_) : key(key_), value(convert(value_)) {}
  LogField(std::string_view key_, const Error& error) : key(key_), value(std::string_view()), text(error.message()) {}

  std::string_view key;
  Value value;
  std::string text;   // when the value had to be made

 private:
  template <class T>
  static Value convert(const T& value) {
    if constexpr (std::same_as<T, bool>) {
      return value;
    } else if constexpr (std::signed_integral<T>) {
      return static_cast<std::int64_t>(value);
    } else if constexpr (std::unsigned_integral<T>) {
      return static_cast<std::uint64_t>(value);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<double>(value);
    } else if constexpr (requires { std::string_view(value); }) {
      return std::string_view(value);
    } else if constexpr (requires { Duration(value); }) {
      return Duration(value);
    } else {
      return convert(value.value());   // a StrongId
    }
  }
};
using LogFields = std::initializer_list<LogField>;

class LogRegistry;

// What an owner logs with: one module on one core, or outside any. A small value, handed down; the registry must outlive it.
//   log.info("listening", {{"address", address}, {"shards", shards}});
class Logger {
 public:
  bool enabled(LogLevel level) const { return static_cast<int>(level) >= level_->load(std::memory_order_relaxed); }
  void trace(std::string_view message, LogFields fields = {}) const { write(LogLevel::trace, message, fields); }
  void debug(std::string_view message, LogFields fields = {}) const { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, LogFields fields = {}) const { write(LogLevel::info, message, fields); }
  void warn(std::string_view message, LogFields fields = {}) const { write(LogLevel::warn, message, fields); }
  void error(std::string_view message, LogFields fields = {}) const { write(LogLevel::error, message, fields); }
  void write(LogLevel level, std::string_view message, LogFields fields) const {
    if (enabled(level)) emit(level, message, fields);
  }

 private:
  friend class LogRegistry;
  Logger(LogRegistry& registry, std::string_view module, const std::atomic<int>& level, std::optional<CoreId> core)
      : registry_(&registry), module_(module), level_(&level), core_(core) {}
  void emit(LogLevel level, std::string_view message, LogFields fields) const;

  LogRegistry* registry_;
  std::string_view module_;            // the registry's
  const std::atomic<int>* level_;      // the registry's
  std::optional<CoreId> core_;
};

enum class LogFormat { text, json };

// The levels of all modules: "info", "info,store=debug,rpc=warn".
struct LogLevels {
  LogLevel others = LogLevel::info;
  std::map<std::string, LogLevel> modules;
  static Result<LogLevels> parse(std::string_view text);
};

struct LogOptions {
  LogFormat format = LogFormat::text;
  LogLevels levels = {};
  // Lines are written by a thread of their own, so that a slow terminal holds up no core; when 8192 wait, the oldest go, and
  // the next line says how many. Without it each line is written at once.
  bool background = true;
  // Instead of stderr: gets each line, without its end. Called at once, under a lock.
  std::function<void(std::string_view)> sink = {};
};

// All loggers of a process. Owned by main, outlives everything that logs. Thread-safe.
class LogRegistry {
 public:
  explicit LogRegistry(const Clock& clock, LogOptions options = {});
  LogRegistry(const LogRegistry&) = delete;
  LogRegistry& operator=(const LogRegistry&) = delete;
  ~LogRegistry();   // writes what is waiting

  Logger logger(std::string_view module, std::optional<CoreId> core = std::nullopt);
  // Changes levels while running: a module that is not named goes back to the level of the others.
  void set_levels(const LogLevels& levels);
  std::string levels() const;   // as LogLevels::parse takes it
  std::vector<std::string> modules() const;   // those that have a logger by now, in order
  void flush();

 private:
  friend class Logger;
  void write(LogLevel level, std::string line);
  std::string format(LogLevel level, std::optional<CoreId> core, std::string_view module, std::string_view message,
                     LogFields fields) const;

  const Clock& clock_;
  const LogFormat format_;
  struct Output;
  std::unique_ptr<Output> output_;
  mutable std::mutex mutex_;   // of the map and the levels as a whole; loggers read theirs without it
  LogLevels wanted_;
  std::map<std::string, std::atomic<int>, std::less<>> modules_;
};

}  // namespace skerry
