// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "disk/disk.hpp"
#include "runtime/task.hpp"

namespace skerry::control {

// The folder in which a coordinator keeps the cluster's status, locked as long as this lives. What else is in it is its
// provider's.
//   LOCK                 held by the process
//   skerry-coordinator   "skerry coordinator folder, format 1, kept by file": vouches that what the provider keeps is there
class MetadataFolder {
 public:
  static constexpr int format = 1;

  // Fails with already_exists (another process has it), invalid_argument (not such a folder, or another provider's), unsupported
  // (a newer program's), corrupt, io_failed; the text names path and remedy. `provider` is a word.
  static Result<std::unique_ptr<MetadataFolder>> open(disk::Disk& disk, std::string path, std::string_view provider);

  // False: new, or left by a start that was killed before it had kept anything that counts.
  bool marked() const { return marked_; }
  Task<Result<>> mark();

  std::string file(std::string_view name) const;
  const std::string& path() const { return path_; }

 private:
  MetadataFolder(disk::Disk& disk, std::string path, std::string_view provider)
      : disk_(disk), path_(std::move(path)), provider_(provider) {}
  Result<> check_names() const;
  Result<> check_mark() const;

  disk::Disk& disk_;
  const std::string path_, provider_;
  std::unique_ptr<disk::FolderLock> lock_;
  bool marked_ = false;
};

}   // namespace skerry::control
