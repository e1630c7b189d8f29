// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>
#include <string>

#include "base/bytes.hpp"

namespace skerry::node {

// For transform(): lets whole numbers in decimal digits pass, from `min` to `max`. The parser alone would take the nearest number
// that fits, count -1 from the top, and read 010 as eight.
template <class Number>
CLI::Validator whole_number(Number min = std::numeric_limits<Number>::min(), Number max = std::numeric_limits<Number>::max()) {
  const auto take = [min, max](std::string& text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < min || number > max) {
      return fmt::format("expected a whole number from {} to {}, not {}", min, max, printable(text));
    }
    text = fmt::to_string(number);
    return std::string();
  };
  return CLI::Validator(take, "");
}

}   // namespace skerry::node
