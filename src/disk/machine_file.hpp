// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "disk/disk.hpp"
#include "disk/helper_thread.hpp"
#include "disk/sync_ring.hpp"

namespace skerry::disk {

// The error for a system call that failed with `reason` (an errno), with what a person can do about it.
Error system_error(const std::string& path, std::string_view operation, int reason);

// fsync or fdatasync by the ring, or without one by the helper thread. 0, or minus errno.
Task<long> sync_descriptor(HelperThread& helper, SyncRing* ring, std::shared_ptr<Descriptor> file, SyncKind kind);

// A file of MachineDisk.
class MachineFile final : public File {
 public:
  MachineFile(std::string path, int descriptor, HelperThread& helper, SyncRing* ring)
      : path_(std::move(path)), descriptor_(std::make_shared<Descriptor>(descriptor)), helper_(helper), ring_(ring) {}

  Result<std::uint64_t> size() const override;
  Result<std::size_t> read_at(std::uint64_t position, std::span<char> into) const override;
  Task<Result<Bytes>> read(std::uint64_t position, std::size_t bytes) const override;
  Result<> write_at(std::uint64_t position, std::span<const BytesView> pieces) override;
  Result<> truncate(std::uint64_t size) override;
  Task<Result<>> allocate(std::uint64_t bytes) override;
  Task<Result<>> write_zeros(std::uint64_t position, std::uint64_t bytes) override;
  Task<Result<>> sync() override;

 private:
  std::string path_;
  std::shared_ptr<Descriptor> descriptor_;
  HelperThread& helper_;
  SyncRing* ring_;
};

}  // namespace skerry::disk
