// SPDX-License-Identifier: Apache-2.0
#include "sim/trace.hpp"

#include <fmt/format.h>

namespace skerry::sim {

namespace {
constexpr std::uint64_t prime = 0x100000001B3ULL;   // FNV-1a
}

void Trace::mix(std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) hash_ = (hash_ ^ (number >> shift & 0xFF)) * prime;
}

void Trace::note(TimePoint now, std::string_view what) {
  const auto nanos = static_cast<std::uint64_t>(now.time_since_epoch().count());
  mix(nanos);
  for (const char c : what) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * prime;
  ++lines_;
  if (print_ == Print::yes) fmt::print("{:>16} {}\n", nanos, what);
}

}  // namespace skerry::sim
