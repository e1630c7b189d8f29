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
  // Where lines are many: a number stands for the text, which is made only to be printed.
  template <class Describe>
  void note(TimePoint now, std::uint64_t number, Describe describe) {
    if (print_ == Print::yes) return note(now, describe());
    mix(static_cast<std::uint64_t>(now.time_since_epoch().count()) * 31 + number);
    ++lines_;
  }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t lines() const { return lines_; }

 private:
  void mix(std::uint64_t number);

  Print print_;
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
  std::uint64_t lines_ = 0;
};

}  // namespace skerry::sim
