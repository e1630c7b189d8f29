// SPDX-License-Identifier: Apache-2.0
#include "runtime/setting_value.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/bytes.hpp"

namespace skerry {
namespace {

struct NamedUnit {
  std::string_view name;
  std::int64_t size;
};

constexpr std::int64_t kibi = 1024, kilo = 1000;
constexpr std::array<NamedUnit, 8> duration_units = {{{"ns", 1},
                                                      {"us", 1'000},
                                                      {"µs", 1'000},
                                                      {"ms", 1'000'000},
                                                      {"s", 1'000'000'000},
                                                      {"m", 60'000'000'000},
                                                      {"h", 3'600'000'000'000},
                                                      {"d", 86'400'000'000'000}}};
constexpr std::array<NamedUnit, 17> size_units = {{{"B", 1},
                                                   {"K", kibi},
                                                   {"Ki", kibi},
                                                   {"KiB", kibi},
                                                   {"KB", kilo},
                                                   {"M", kibi* kibi},
                                                   {"Mi", kibi* kibi},
                                                   {"MiB", kibi* kibi},
                                                   {"MB", kilo* kilo},
                                                   {"G", kibi* kibi* kibi},
                                                   {"Gi", kibi* kibi* kibi},
                                                   {"GiB", kibi* kibi* kibi},
                                                   {"GB", kilo* kilo* kilo},
                                                   {"T", kibi* kibi* kibi* kibi},
                                                   {"Ti", kibi* kibi* kibi* kibi},
                                                   {"TiB", kibi* kibi* kibi* kibi},
                                                   {"TB", kilo* kilo* kilo* kilo}}};

template <std::size_t N>
std::optional<std::int64_t> unit_size(const std::array<NamedUnit, N>& units, std::string_view name) {
  for (const NamedUnit& unit : units) {
    if (unit.name == name) return unit.size;
  }
  return std::nullopt;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "12" or "1.5", taken off the front, times `unit`, exactly: digits below one unit of the result are refused, as is overflow.
struct Quantity {
  __int128 whole = 0;
  __int128 fraction = 0, fraction_scale = 1;
};
std::optional<Quantity> take_quantity(std::string_view& text) {
  Quantity quantity;
  std::size_t digits = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    if (++digits > 19) return std::nullopt;
    quantity.whole = quantity.whole * 10 + (text.front() - '0');
  }
  if (digits == 0) return std::nullopt;
  if (text.empty() || text.front() != '.') return quantity;
  text.remove_prefix(1);
  digits = 0;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    if (++digits > 12) return std::nullopt;
    quantity.fraction = quantity.fraction * 10 + (text.front() - '0');
    quantity.fraction_scale *= 10;
  }
  return digits == 0 ? std::nullopt : std::optional(quantity);
}
std::optional<std::int64_t> times(const Quantity& quantity, std::int64_t unit) {
  if ((quantity.fraction * unit) % quantity.fraction_scale != 0) return std::nullopt;
  const __int128 product = quantity.whole * unit + quantity.fraction * unit / quantity.fraction_scale;
  if (product > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return static_cast<std::int64_t>(product);
}

std::string_view take_name(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && !is_digit(text[length]) && text[length] != '.') ++length;
  const auto unit_name = text.substr(0, length);
  text.remove_prefix(length);
  return unit_name;
}

std::unexpected<Error> no_duration(std::string_view text) {
  return fail(Errc::invalid_argument,
              fmt::format("{} is no duration; expected a number with a unit (ns, us, ms, s, m, h, d), such as "
                          "250ms, 15s or 1h30m",
                          printable(text)));
}
std::unexpected<Error> no_size(std::string_view text) {
  return fail(Errc::invalid_argument,
              fmt::format("{} is no size; expected a number with a unit, such as 512KiB, 64MiB or 1.5GiB", printable(text)));
}

Result<SettingValue> parse_boolean(std::string_view text) {
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (text == word) return false;
  }
  return fail(Errc::invalid_argument, fmt::format("{} is neither true nor false", printable(text)));
}

template <class T>
Result<SettingValue> parse_plain_number(std::string_view text, std::string_view what) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(Errc::invalid_argument, fmt::format("{} is no {}", printable(text), what));
  }
  return value;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (comma != 0) items.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return items;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  if (rest == "0") return Duration::zero();
  if (rest.empty()) return no_duration(text);
  __int128 total = 0;
  while (!rest.empty()) {
    const auto quantity = take_quantity(rest);
    const auto unit = unit_size(duration_units, take_name(rest));
    const auto part = quantity && unit ? times(*quantity, *unit) : std::nullopt;
    if (!part) return no_duration(text);
    total += *part;
    if (total > std::numeric_limits<std::int64_t>::max()) return no_duration(text);
  }
  return Duration(static_cast<std::int64_t>(negative ? -total : total));
}

std::string duration_text(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  std::string text = duration < Duration::zero() ? "-" : "";
  // As an unsigned number: the lowest negative one has no positive counterpart.
  auto rest = static_cast<std::uint64_t>(duration.count());
  if (duration < Duration::zero()) rest = 0 - rest;
  for (const std::string_view unit : {"d", "h", "m", "s", "ms", "us", "ns"}) {
    const auto size = static_cast<std::uint64_t>(*unit_size(duration_units, unit));
    if (rest >= size) text += fmt::format("{}{}", rest / size, unit);
    rest %= size;
  }
  return text;
}

Result<std::int64_t> parse_size(std::string_view text, std::int64_t bare_unit) {
  std::string_view rest = text;
  const auto quantity = take_quantity(rest);
  const auto unit = rest.empty() ? std::optional(bare_unit) : unit_size(size_units, rest);
  const auto bytes = quantity && unit ? times(*quantity, *unit) : std::nullopt;
  if (!bytes) return no_size(text);
  return *bytes;
}

std::string size_text(std::int64_t bytes) {
  for (const std::string_view unit : {"TiB", "GiB", "MiB", "KiB"}) {
    const std::int64_t size = *unit_size(size_units, unit);
    if (bytes != 0 && bytes % size == 0) return fmt::format("{}{}", bytes / size, unit);
  }
  return fmt::format("{}B", bytes);
}

Result<SettingValue> parse_setting(SettingKind kind, Unit unit, std::string_view text) {
  switch (kind) {
    case SettingKind::boolean: return parse_boolean(text);
    case SettingKind::integer: {
      if (unit == Unit::none) return parse_plain_number<std::int64_t>(text, "whole number");
      TRY(const std::int64_t bytes, parse_size(text, unit == Unit::mebibytes ? kibi * kibi : 1));
      return bytes;
    }
    case SettingKind::real: {
      TRY(SettingValue value, parse_plain_number<double>(text, "number"));
      if (!std::isfinite(std::get<double>(value)))
        return fail(Errc::invalid_argument, fmt::format("{} is no finite number", printable(text)));
      return value;
    }
    case SettingKind::duration: {
      TRY(const Duration duration, parse_duration(text));
      return duration;
    }
    case SettingKind::text: return std::string(text);
    case SettingKind::list: return split(text);
  }
  return fail(Errc::internal, "no such kind of setting");
}

std::string setting_text(const SettingValue& value, Unit unit) {
  struct Write {
    Unit unit;
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return unit == Unit::none ? fmt::to_string(number) : size_text(number); }
    std::string operator()(double number) const { return fmt::to_string(number); }
    std::string operator()(Duration duration) const { return duration_text(duration); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& items) const { return fmt::format("{}", fmt::join(items, ",")); }
  };
  return std::visit(Write{unit}, value);
}

}  // namespace skerry
