// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "control/node_call.hpp"
#include "control/published.hpp"
#include "control/status_book.hpp"

// What a CoordinatorCore wants done.
namespace skerry::control {

// A standing call to hold, for as long as it isn't let go of: after it breaks, and after each failed attempt, another is made.
// Its first Hello names the node and does not bind.
struct Attendance {
  std::string name;   // the identity of a server in the configuration; one call for each
  std::string internal_address;
  NodeId node;   // for which it stands; what is asked of this node goes there
  friend bool operator==(const Attendance&, const Attendance&) = default;
};

// For the log.
struct Note {
  enum class Level : std::uint8_t { info, warning };
  Level level = Level::info;
  std::string text;
};

// What the driver must do. The parts don't depend on each other, except that attending comes first.
struct Effects {
  // Begin; with another address than before: there, and at the former no more; with another node only: the call stands for that
  // now.
  std::vector<Attendance> attend;
  std::vector<std::string> bind;   // by name: the next order is a Hello that binds to the attendance's node
  struct GiveUp {
    std::string name;
    NodeId node;
  };
  std::vector<GiveUp> give_up;   // the server of that name, if it is this node, is to put its folder aside
  std::vector<std::string> let_go;   // by name: end the standing call and what is asked of its node
  std::optional<StatusCommit> commit;   // then call stored(); when it fails, this core is of no use any more
  std::vector<NodeCall> calls;   // each is answered by replied()
  std::vector<Publication> publish;
  std::vector<Note> notes;

  bool empty() const;
};

}   // namespace skerry::control
