// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace skerry::sim {

// Everything that a run did, as one number: the same seed must give the same. Prints each line when asked to.
class Trace {
 public:
  enum class Print : std::uint8_t { no, yes };
  explicit Trace(Print print) : print_(print) {}
  void note(TimePoint now, std::string_view what);
  std::uint64_t hash() const { return hash_; }
  std::uint64_t lines() const { return lines_; }

 private:
  Print print_;
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
  std::uint64_t lines_ = 0;
};

}  // namespace skerry::sim
