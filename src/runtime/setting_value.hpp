// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace skerry {

// What a setting's value can be. Sizes are integers with a unit.
using SettingValue = std::variant<bool, std::int64_t, double, Duration, std::string, std::vector<std::string>>;
enum class SettingKind { boolean, integer, real, duration, text, list };   // in the order of the variant

// bytes: "64MiB", or a bare number of bytes. mebibytes: the same, but a bare number counts MiB; the value is in bytes all the
// same.
enum class Unit { none, bytes, mebibytes };

// "250ms", "15s", "1h30m", "1.5s", "2d", "0". Fails without a unit, and outside what nanoseconds can hold (292 years).
Result<Duration> parse_duration(std::string_view text);
std::string duration_text(Duration duration);   // exact; parse_duration reads it back

// "64MiB", "1.5GiB", "10MB"; KiB, MiB, GiB, TiB (also Ki, K) count by 1024, KB, MB, GB, TB by 1000.
Result<std::int64_t> parse_size(std::string_view text, std::int64_t bare_unit = 1);
std::string size_text(std::int64_t bytes);   // exact; parse_size reads it back

Result<SettingValue> parse_setting(SettingKind kind, Unit unit, std::string_view text);
std::string setting_text(const SettingValue& value, Unit unit);   // as a person writes it

}   // namespace skerry
