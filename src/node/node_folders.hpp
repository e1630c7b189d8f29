// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/result.hpp"
#include "disk/disk.hpp"
#include "runtime/task.hpp"

namespace skerry::node {

// Where one node keeps what it has, and where that is put aside when it was damaged: beside it, once. What was put aside is
// nobody's any more but the operator's.
struct NodeFolders {
  std::string data;
  std::string log;   // has the log; empty: the data folder has
  std::string log_path() const { return (log.empty() ? data : log) + "/log"; }

  // Of either; empty: nothing is put aside.
  Result<std::string> kept_aside(disk::Disk& disk) const;
  // Moves both aside and makes an empty data folder; nothing of them may be open. One that was interrupted (the data folder is
  // missing) goes on where it was. Fails with already_exists where something is put aside already.
  Task<Result<>> put_aside(disk::Disk& disk) const;
};

std::string aside_of(const std::string& folder);

}   // namespace skerry::node
