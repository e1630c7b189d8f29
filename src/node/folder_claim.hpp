// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "base/result.hpp"
#include "disk/disk.hpp"
#include "runtime/task.hpp"

namespace skerry::node {

// Whose a data folder is. One made by one role is refused by the other: its shards would look empty there.
enum class FolderRole { standalone, server };

// A data folder held by this process: LOCK, and skerry-format, a marker with the role and the format number that is written once
// all else of a new folder is in place. Opened before any core runs, on the calling core.
class FolderClaim {
 public:
  static constexpr int format = 1;

  // Waits a moment for a process that is just ending. Fails with already_exists (another process), invalid_argument (not a data
  // folder, or another role's), unsupported (written by a newer program), corrupt, io_failed; the text names path and remedy.
  static Task<Result<std::unique_ptr<FolderClaim>>> open(disk::Disk& disk, std::string path, FolderRole role);

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  bool marked() const { return marked_; }   // not: nothing in it counts yet
  Task<Result<>> mark();

 private:
  FolderClaim(disk::Disk& disk, std::string path, FolderRole role) : disk_(disk), path_(std::move(path)), role_(role) {}
  Result<> look();
  Result<> check_format() const;
  Task<Result<>> lock();

  disk::Disk& disk_;
  const std::string path_;
  const FolderRole role_;
  bool marked_ = false;
  std::unique_ptr<disk::FolderLock> lock_;
};

}   // namespace skerry::node
