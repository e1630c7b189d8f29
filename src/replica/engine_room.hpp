// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "store/engine.hpp"

namespace skerry::replica {

// Whether the node's engine can take more in; for who logs or applies, to ask first. Copied freely.
class EngineRoom {
 public:
  explicit EngineRoom(const store::Engine* engine) : engine_(engine) {}   // null: there is always room

  bool any() const { return engine_ == nullptr || engine_->has_room(); }
  // There is none, and waiting alone will not change that: the disk takes nothing.
  bool obstructed() const { return engine_ != nullptr && engine_->obstacle().has_value(); }
  // Why nothing more is applied; nothing when there is room.
  std::optional<Error> refusal() const;

 private:
  const store::Engine* engine_;
};

}   // namespace skerry::replica
