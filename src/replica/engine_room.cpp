// SPDX-License-Identifier: Apache-2.0
#include "replica/engine_room.hpp"

#include <fmt/format.h>

namespace skerry::replica {

std::optional<Error> EngineRoom::refusal() const {
  if (any()) return std::nullopt;
  const std::optional<Error> obstacle = engine_->obstacle();
  return Error{
      make_error_code(Errc::resource_exhausted),
      fmt::format("not applied: memory is full of what is not on disk yet; {}", obstacle ? obstacle->message() : "try again")};
}

}   // namespace skerry::replica
