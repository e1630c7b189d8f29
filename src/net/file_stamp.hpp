// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace skerry::net {

// Tells whether a small file that an operator keeps (a certificate, a key, a list of users) is still the one that was read.
// Follows links, as volumes of Kubernetes are renewed by turning one. Two renewals in one tick of the file system's clock are
// told apart by the inode. A file that is not there has a stamp of its own.
struct FileStamp {
  std::int64_t modified_nanos = 0, changed_nanos = 0;
  std::uint64_t inode = 0, size = 0;

  static FileStamp of(const std::string& path);   // asks the file system: not for a core's hot path
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// The whole of a small file. Fails with not_found or io_failed, naming it, and with resource_exhausted above `bytes_max`.
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max);

}  // namespace skerry::net
