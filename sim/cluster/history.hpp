// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace skerry::sim {

// What clients asked and were told of one shard's keys, and whether one store that does one thing at a time could have told them
// that. Keys are only ever put, each time with a value of its own; a put's answer names its version, as a get's does. Versions
// rise in the order in which writes took effect, so that order needs no search: no operation may take effect before it began or
// after it ended. A put without an answer took effect if anybody saw its value.
class History {
 public:
  static constexpr VersionId absent{-1};
  struct Operation {
    enum class Kind : std::uint8_t { put, get };
    Kind kind;
    std::string key, value;   // of a get: seen
    TimePoint began, ended;
    std::optional<VersionId> version;   // nothing: a put whose answer never came
  };

  void add(Operation operation) { operations_.push_back(std::move(operation)); }
  const std::vector<Operation>& operations() const { return operations_; }
  // What can't have been, in words; empty when all is well.
  std::string violation() const;

 private:
  std::vector<Operation> operations_;
};

}   // namespace skerry::sim
