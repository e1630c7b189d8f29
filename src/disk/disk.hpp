// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "runtime/task.hpp"

namespace skerry::disk {

// One open file, used by one core. What was written is durable only once a sync() that began after the write has
// succeeded. After a failed sync nothing about unsynced bytes is known: never retry as if nothing had happened.
class File {
 public:
  virtual ~File() = default;   // closes; syncs nothing
  virtual Result<std::uint64_t> size() const = 0;
  // Reads into the whole span, less only at the end of the file. Returns how many bytes. May wait for the device: for
  // opening and for tools.
  virtual Result<std::size_t> read_at(std::uint64_t position, std::span<char> into) const = 0;
  // The same without holding up the core when the bytes are not in memory. Shorter than asked only at the end of the file.
  virtual Task<Result<Bytes>> read(std::uint64_t position, std::size_t bytes) const = 0;
  // Writes all pieces one after the other into the operating system's cache.
  virtual Result<> write_at(std::uint64_t position, std::span<const BytesView> pieces) = 0;
  virtual Result<> truncate(std::uint64_t size) = 0;
  // Reserves room on the device for the first `bytes` bytes where the file system can, and makes the file that long;
  // then writes zeros into a part of it. Neither holds up the core; durable after sync().
  virtual Task<Result<>> allocate(std::uint64_t bytes) = 0;
  virtual Task<Result<>> write_zeros(std::uint64_t position, std::uint64_t bytes) = 0;
  // Makes everything written before this call durable, without holding up the core.
  virtual Task<Result<>> sync() = 0;
};

enum class OpenMode { read, read_write, create };   // create: must not exist yet

// Held while a folder is ours; released by the destructor, and by the system when the process dies.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

// The seam between a core and the file system: the machine's, or the simulator's, which forgets what was not synced.
// Paths are ordinary paths. Errors name path, operation, reason and what helps. Their code is io_failed, but for not_found,
// already_exists, and resource_exhausted when the device or a quota is full.
class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<> rename(const std::string& from, const std::string& to) = 0;   // replaces; durable after sync_folder
  virtual Result<> remove(const std::string& path) = 0;
  virtual Result<bool> exists(const std::string& path) const = 0;
  virtual Result<std::vector<std::string>> list(const std::string& folder) const = 0;   // names, sorted
  virtual Result<> make_folders(const std::string& path) = 0;                    // and their parents; may exist
  virtual Task<Result<>> sync_folder(std::string path) = 0;                      // makes names in it durable
  // Fails with already_exists and names the process that holds it.
  virtual Result<std::unique_ptr<FolderLock>> lock(const std::string& folder) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& folder) const = 0;
};

// Reads and atomically replaces small whole files (write beside, sync, rename, sync the folder).
Result<Bytes> read_file(Disk& disk, const std::string& path);
Task<Result<>> replace_file(Disk& disk, std::string path, Bytes content);

}  // namespace skerry::disk
