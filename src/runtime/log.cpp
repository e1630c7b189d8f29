// SPDX-License-Identifier: Apache-2.0
#include "runtime/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cmath>

#include "base/bytes.hpp"
#include "runtime/quoting.hpp"
#include "runtime/signals.hpp"

namespace skerry {
namespace {

constexpr std::size_t lines_waiting_max = 8192;
constexpr std::array<std::string_view, 6> level_names = {"trace", "debug", "info", "warn", "error", "off"};

spdlog::level::level_enum spdlog_level(LogLevel level) {
  static constexpr std::array levels = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                        spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
  return levels[static_cast<std::size_t>(level)];
}

class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> function) : function_(std::move(function)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    function_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}
  std::function<void(std::string_view)> function_;
};

bool needs_quotes(std::string_view text) {
  return text.empty() || find_invalid_utf8(text) || text.find_first_of(" \"\\=") != std::string_view::npos ||
         std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

std::string millis_text(Duration value) {
  const double millis = std::chrono::duration<double, std::milli>(value).count();
  return fmt::format("{:.{}f}ms", millis, std::abs(millis) < 10 ? 3 : std::abs(millis) < 1000 ? 1 : 0);
}

struct AppendValue {
  std::string& out;
  LogFormat format;
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(double value) const {
    if (format == LogFormat::json && !std::isfinite(value)) return append_quoted(out, fmt::to_string(value));
    out += fmt::to_string(value);
  }
  void operator()(std::string_view value) const {
    if (format == LogFormat::json || needs_quotes(value)) return append_quoted(out, value);
    out += value;
  }
  // In JSON a number of milliseconds, for programs.
  void operator()(Duration value) const {
    if (format == LogFormat::text) {
      out += millis_text(value);
    } else {
      fmt::format_to(std::back_inserter(out), "{}", std::chrono::duration<double, std::milli>(value).count());
    }
  }
  template <std::integral T>
  void operator()(T value) const {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
};

}  // namespace

std::string_view name(LogLevel level) { return level_names[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (text == level_names[i]) return static_cast<LogLevel>(i);
  }
  if (text == "warning") return LogLevel::warn;
  return std::nullopt;
}

Result<LogLevels> LogLevels::parse(std::string_view text) {
  LogLevels levels;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const auto equals = item.find('=');
    const auto level = parse_log_level(equals == std::string_view::npos ? item : item.substr(equals + 1));
    if (!level || equals == 0) {
      return fail(Errc::invalid_argument, fmt::format("log level {}: expected a level (trace, debug, info, warn, error, off), or "
                                                      "module=level, separated by commas, as in info,storage=debug",
                                                      printable(item)));
    }
    if (equals == std::string_view::npos) {
      levels.others = *level;
    } else {
      levels.modules[std::string(item.substr(0, equals))] = *level;
    }
    if (comma == std::string_view::npos) return levels;
    rest.remove_prefix(comma + 1);
  }
}

void Logger::emit(LogLevel level, std::string_view message, LogFields fields) const {
  registry_->write(level, registry_->format(level, core_, module_, message, fields));
}

struct LogRegistry::Output {
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<spdlog::details::thread_pool> pool;   // goes first: its thread writes what is queued and ends
  std::atomic<std::size_t> lost_told = 0;
};

LogRegistry::LogRegistry(const Clock& clock, LogOptions options)
    : clock_(clock), format_(options.format), output_(std::make_unique<Output>()), wanted_(std::move(options.levels)) {
  spdlog::sink_ptr sink;
  if (options.sink) {
    sink = std::make_shared<FunctionSink>(std::move(options.sink));
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  if (options.background) {
    const SignalsBlocked blocked;
    output_->pool = std::make_shared<spdlog::details::thread_pool>(lines_waiting_max, 1);
    output_->logger = std::make_shared<spdlog::async_logger>("skerry", std::move(sink), output_->pool,
                                                             spdlog::async_overflow_policy::overrun_oldest);
  } else {
    output_->logger = std::make_shared<spdlog::logger>("skerry", std::move(sink));
  }
  output_->logger->set_pattern("%v");   // the line is ours; spdlog brings it out
  output_->logger->set_level(spdlog::level::trace);
  output_->logger->flush_on(spdlog::level::err);
}

LogRegistry::~LogRegistry() = default;   // spdlog's pool writes what is queued, then joins

Logger LogRegistry::logger(std::string_view module, std::optional<CoreId> core) {
  const std::lock_guard lock(mutex_);
  auto found = modules_.find(module);
  if (found == modules_.end()) {
    const auto own = wanted_.modules.find(std::string(module));
    found =
        modules_.try_emplace(std::string(module), static_cast<int>(own == wanted_.modules.end() ? wanted_.others : own->second))
            .first;
  }
  return {*this, found->first, found->second, core};
}

void LogRegistry::set_levels(const LogLevels& levels) {
  const std::lock_guard lock(mutex_);
  wanted_ = levels;
  for (auto& [module, level] : modules_) {
    const auto own = wanted_.modules.find(module);
    level.store(static_cast<int>(own == wanted_.modules.end() ? wanted_.others : own->second), std::memory_order_relaxed);
  }
}

std::string LogRegistry::levels() const {
  const std::lock_guard lock(mutex_);
  std::string text(name(wanted_.others));
  for (const auto& [module, level] : wanted_.modules) text += fmt::format(",{}={}", module, name(level));
  return text;
}

std::vector<std::string> LogRegistry::modules() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [module, level] : modules_) names.push_back(module);
  return names;
}

void LogRegistry::flush() { output_->logger->flush(); }

void LogRegistry::write(LogLevel level, std::string line) {
  if (output_->pool) {
    const std::size_t lost = output_->pool->overrun_counter();
    const std::size_t told = output_->lost_told.exchange(lost);
    if (lost > told) {
      output_->logger->log(spdlog::level::warn,
                           format(LogLevel::warn, std::nullopt, "log", "lines were lost: output is slower than logging",
                                  {{"lines", lost - told}}));
    }
  }
  output_->logger->log(spdlog_level(level), spdlog::string_view_t(line));
}

std::string LogRegistry::format(LogLevel level, std::optional<CoreId> core, std::string_view module, std::string_view message,
                                LogFields fields) const {
  const WallTime wall = clock_.wall();
  const auto second = std::chrono::floor<std::chrono::seconds>(wall);
  const std::string time =
      fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(second.time_since_epoch().count()), (wall - second).count());
  std::string line;
  if (format_ == LogFormat::text) {
    line = fmt::format("{} {:<5} {} {}: ", time, name(level), core ? fmt::format("core={}", core->value()) : "core=-", module);
    // The message is ours and stays readable; what others gave us stands in fields.
    if (find_invalid_utf8(message) || std::ranges::any_of(message, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
      append_escaped(line, message);
    } else {
      line += message;
    }
  } else {
    line = fmt::format(R"({{"time":"{}","level":"{}",)", time, name(level));
    if (core) line += fmt::format(R"("core":{},)", core->value());
    line += R"("module":)";
    append_quoted(line, module);
    line += R"(,"message":)";
    append_quoted(line, message);
  }
  for (const LogField& field : fields) {
    if (format_ == LogFormat::text) {
      line += fmt::format(" {}=", field.key);
    } else {
      line += ',';
      append_quoted(line, field.key);
      line += ':';
    }
    const AppendValue append{line, format_};
    field.text.empty() ? std::visit(append, field.value) : append(std::string_view(field.text));
  }
  if (format_ == LogFormat::json) line += '}';
  return line;
}

}  // namespace skerry
