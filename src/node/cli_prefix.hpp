// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "client/types.hpp"

namespace skerry::node {

// Finds the keys that begin with a prefix. In the natural order they are one range. In the hierarchical one they are a range at
// each depth, and how deep keys are only the store knows: so a walk is told each key it meets, and where to begin anew once it
// has left the prefix. Pure; one for each walk.
class PrefixWalk {
 public:
  PrefixWalk(store::KeyOrder order, client::Direction direction, std::string prefix);

  const client::KeyRange& range() const { return range_; }   // to walk next

  enum class Step { take, pass, begin_anew };
  Step meet(std::string_view key);

 private:
  std::string first_at(std::size_t slashes) const;

  const store::KeyOrder order_;
  const client::Direction direction_;
  const std::string prefix_;
  client::KeyRange range_;
};

// The least text above all that begins with this; nothing: there is none.
std::optional<std::string> text_after(std::string_view prefix);

}   // namespace skerry::node
