// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "base/result.hpp"
#include "disk/disk.hpp"
#include "runtime/semaphore.hpp"
#include "runtime/task.hpp"
#include "skerry/control/v1/control.pb.h"

namespace skerry::control {

// What a node keeps of itself in its folder: which cluster it belongs to and as whom, how often it was started, where the others
// are and which replicas it holds. So it can start, follow and answer others while no coordinator is there. A text file with a
// checksum, replaced as a whole. One core's, the node's.
class NodeRecord {
 public:
  // Reads the file, or begins a new one, and counts the start: the new incarnation is durable when this returns.
  // Fails with corrupt when the file was cut or changed, or is missing while there is `younger`, a folder that is made only after
  // it; with unsupported when it is whole and says what this program does not know. The text names it and what helps.
  static Task<Result<std::unique_ptr<NodeRecord>>> open(Core& core, disk::Disk& disk, std::string path, std::string younger);

  const v1::NodeRecord& value() const { return value_; }
  bool bound() const { return !value_.instance().empty(); }

  // Bound once that is durable; a failure leaves all as it was. Requires: not bound, and nobody binds or keeps anything
  // meanwhile.
  Task<Result<>> bind(std::string instance, std::uint32_t node, std::string name);
  // Durable when they return. A failure leaves on disk what was there; value() has the new one, and the next keep tries again.
  Task<Result<>> keep(v1::Nodes nodes);
  Task<Result<>> keep(v1::Holdings holdings);

 private:
  NodeRecord(Core& core, disk::Disk& disk, std::string path) : disk_(disk), path_(std::move(path)), turn_(core, 1) {}
  std::unexpected<Error> damaged(std::string_view what) const;
  Result<> load();
  Task<Result<>> save();
  Task<Result<>> write(v1::NodeRecord value);

  disk::Disk& disk_;
  const std::string path_;
  v1::NodeRecord value_;
  std::uint64_t changes_ = 0, saved_ = 0;
  Semaphore turn_;   // of one write
};

}   // namespace skerry::control
