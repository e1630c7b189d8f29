// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <memory>

#include "runtime/random.hpp"

namespace skerry::store::testing {

// A file system in memory, for RocksDB, that forgets at a crash what was not made durable: of a file's bytes behind its last
// sync only the first few stay, and so with the creations, renames and deletions since the folder's last sync. Never is a file
// longer than what was written of it: RocksDB relies on that (its manifest with a tail of zeros would be refused), and ext4
// and XFS keep it, since a file's size is written after its blocks. Thread-safe.
class ForgetfulFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  ForgetfulFileSystem();
  ~ForgetfulFileSystem() override;
  const char* Name() const override { return "ForgetfulFileSystem"; }

  // After so many more changes every operation fails, as if the power had gone in the middle: nothing changes any more.
  void stop_after(std::uint64_t changes);
  bool stopped() const;
  // From now on nothing more fits: what would make a file longer, or a new one, fails with NoSpace. Or it fits again.
  void fill(bool full);
  // What of its files can be read without waiting, as if the system had it in memory. At first every other piece.
  enum class InMemory : std::uint8_t { nothing, some, all };
  void keep_in_memory(InMemory what);
  std::uint64_t changes() const;
  // What a new start finds after the power has gone now. This one is stopped.
  std::shared_ptr<ForgetfulFileSystem> crash(Random& random);
  // Flips a bit of the file with this suffix, the first by name. False when there is none or it is empty.
  bool damage(const std::string& suffix, Random& random);

  using Options = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;
  using Status = rocksdb::IOStatus;
  Status NewSequentialFile(const std::string& name, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSSequentialFile>* result, Debug*) override;
  Status NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSRandomAccessFile>* result, Debug*) override;
  Status NewWritableFile(const std::string& name, const rocksdb::FileOptions&, std::unique_ptr<rocksdb::FSWritableFile>* result,
                         Debug*) override;
  Status ReopenWritableFile(const std::string& name, const rocksdb::FileOptions&,
                            std::unique_ptr<rocksdb::FSWritableFile>* result, Debug*) override;
  Status ReuseWritableFile(const std::string& name, const std::string& old_name, const rocksdb::FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, Debug*) override;
  Status NewDirectory(const std::string& name, const Options&, std::unique_ptr<rocksdb::FSDirectory>* result, Debug*) override;
  Status FileExists(const std::string& name, const Options&, Debug*) override;
  Status GetChildren(const std::string& folder, const Options&, std::vector<std::string>* result, Debug*) override;
  Status DeleteFile(const std::string& name, const Options&, Debug*) override;
  Status Truncate(const std::string& name, std::size_t size, const Options&, Debug*) override;
  Status CreateDir(const std::string& name, const Options&, Debug*) override;
  Status CreateDirIfMissing(const std::string& name, const Options&, Debug*) override;
  Status DeleteDir(const std::string& name, const Options&, Debug*) override;
  Status GetFileSize(const std::string& name, const Options&, std::uint64_t* size, Debug*) override;
  Status GetFileModificationTime(const std::string& name, const Options&, std::uint64_t* time, Debug*) override;
  Status GetAbsolutePath(const std::string& path, const Options&, std::string* result, Debug*) override;
  Status RenameFile(const std::string& from, const std::string& to, const Options&, Debug*) override;
  Status LinkFile(const std::string& from, const std::string& to, const Options&, Debug*) override;
  Status LockFile(const std::string& name, const Options&, rocksdb::FileLock** lock, Debug*) override;
  Status UnlockFile(rocksdb::FileLock* lock, const Options&, Debug*) override;
  Status NewLogger(const std::string& name, const Options&, std::shared_ptr<rocksdb::Logger>* result, Debug*) override;
  Status GetFreeSpace(const std::string& path, const Options&, std::uint64_t* bytes, Debug*) override;
  Status IsDirectory(const std::string& path, const Options&, bool* is_directory, Debug*) override;

 private:
  class Contents;
  class Reader;
  class SequentialReader;
  class Writer;
  class Folder;
  std::shared_ptr<Contents> contents_;
};

// An environment for RocksDB over these files, whose clock doesn't sleep: after an error RocksDB waits a second.
std::shared_ptr<rocksdb::Env> environment_of(const std::shared_ptr<ForgetfulFileSystem>& files);

}  // namespace skerry::store::testing
