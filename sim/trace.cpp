// SPDX-License-Identifier: Apache-2.0
#include "sim/trace.hpp"

#include <fmt/format.h>

namespace skerry::sim {

void Trace::note(TimePoint now, std::string_view what) {
  constexpr std::uint64_t prime = 0x100000001B3ULL;   // FNV-1a
  const auto mix = [&](std::uint64_t byte) { hash_ = (hash_ ^ byte) * prime; };
  const auto nanos = static_cast<std::uint64_t>(now.time_since_epoch().count());
  for (int shift = 0; shift < 64; shift += 8) mix(nanos >> shift & 0xFF);
  for (const char c : what) mix(static_cast<unsigned char>(c));
  ++lines_;
  if (print_ == Print::yes) fmt::print("{:>16} {}\n", nanos, what);
}

}  // namespace skerry::sim
