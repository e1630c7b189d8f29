// SPDX-License-Identifier: Apache-2.0
#include "store/rocksdb_files.hpp"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <sys/uio.h>
#include <unistd.h>

#include <utility>

namespace skerry::store {
namespace {

thread_local bool without_waiting = false;

// RocksDB's own file, and a descriptor of ours for the reads that RocksDB can't ask for.
class MachineTableFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  MachineTableFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, int descriptor)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), descriptor_(descriptor) {}
  ~MachineTableFile() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  rocksdb::IOStatus Read(std::uint64_t at, std::size_t count, const rocksdb::IOOptions& options, rocksdb::Slice* result,
                         char* into, rocksdb::IODebugContext* debug) const override {
    if (!without_waiting) return target()->Read(at, count, options, result, into, debug);
    const iovec room{into, count};
    // Fewer bytes than asked for: the rest is on disk. A file system that can't say so fails. Both are for one who may wait.
    const ssize_t got = ::preadv2(descriptor_, &room, 1, static_cast<off_t>(at), RWF_NOWAIT);
    if (got != static_cast<ssize_t>(count)) return would_wait();
    *result = rocksdb::Slice(into, count);
    return rocksdb::IOStatus::OK();
  }

 private:
  const int descriptor_;   // -1: there was none left
};

class MachineFiles final : public rocksdb::FileSystemWrapper {
 public:
  MachineFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "MachineFiles"; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                        rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    rocksdb::IOStatus status = target()->NewRandomAccessFile(name, options, &file, debug);
    if (status.ok()) *result = std::make_unique<MachineTableFile>(std::move(file), ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    return status;
  }
};

}  // namespace

ReadingWithoutWaiting::ReadingWithoutWaiting() { without_waiting = true; }
ReadingWithoutWaiting::~ReadingWithoutWaiting() { without_waiting = false; }

bool reading_without_waiting() { return without_waiting; }

// Not Incomplete: some readers of RocksDB take that for a word of the caller's own and go on as if nothing were there.
rocksdb::IOStatus would_wait() { return rocksdb::status_to_io_status(rocksdb::Status::TryAgain()); }

std::shared_ptr<rocksdb::Env> machine_environment() { return rocksdb::NewCompositeEnv(std::make_shared<MachineFiles>()); }

}  // namespace skerry::store
