// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

namespace skerry::rpc {

// Bytes that all connections of a server hold together, against one limit. Once it is reached, connections above their equal
// share of it get no more and the others are served on: who fills it pays. At twice the limit nobody gets more.
class SharedBudget {
 public:
  explicit SharedBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // A call of the connection that holds `mine` holds `now` instead of `before`.
  void hold_instead(std::size_t& mine, std::size_t before, std::size_t now) {
    mine += now - before;
    held_ += now - before;
  }
  bool allows_more(std::size_t mine, std::size_t connections) const {
    if (held_ <= bytes_max_) return true;
    return held_ / 2 <= bytes_max_ && mine <= bytes_max_ / connections;
  }

 private:
  std::size_t bytes_max_;
  std::size_t held_ = 0;
};

}  // namespace skerry::rpc
