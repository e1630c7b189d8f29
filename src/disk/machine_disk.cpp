// SPDX-License-Identifier: Apache-2.0
#include "disk/machine_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "disk/machine_file.hpp"

namespace skerry::disk {
namespace {

class HeldLock final : public FolderLock {
 public:
  explicit HeldLock(int descriptor) : descriptor_(descriptor) {}

 private:
  Descriptor descriptor_;   // closing it releases the lock
};

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::read: return O_RDONLY;
    case OpenMode::read_write: return O_RDWR;
    case OpenMode::create: return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

std::string holder(int lock_file) {
  std::array<char, 32> text{};
  const ssize_t count = ::pread(lock_file, text.data(), text.size(), 0);
  std::string pid;
  for (ssize_t i = 0; i < count && text[static_cast<std::size_t>(i)] >= '0' && text[static_cast<std::size_t>(i)] <= '9'; ++i) {
    pid += text[static_cast<std::size_t>(i)];
  }
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

MachineDisk::MachineDisk(Core& core, SyncBy sync_by)
    : helper_(std::make_unique<HelperThread>(core)),
      ring_(sync_by == SyncBy::io_uring_if_allowed ? SyncRing::open(core) : nullptr) {}

MachineDisk::~MachineDisk() = default;

Result<std::unique_ptr<File>> MachineDisk::open(const std::string& path, OpenMode mode) {
  const int descriptor = ::open(path.c_str(), open_flags(mode) | O_CLOEXEC, 0640);
  if (descriptor < 0) return fail(system_error(path, mode == OpenMode::create ? "create" : "open", errno));
  return std::make_unique<MachineFile>(path, descriptor, *helper_, ring_.get());
}

Result<> MachineDisk::rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return fail(system_error(from, "rename to " + to, errno));
  return {};
}

Result<> MachineDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return fail(system_error(path, "remove", errno));
  return {};
}

Result<bool> MachineDisk::exists(const std::string& path) const {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(system_error(path, "look up", errno));
}

Result<std::vector<std::string>> MachineDisk::list(const std::string& folder) const {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    names.push_back(entries->path().filename().string());
  }
  if (error) return fail(system_error(folder, "list", error.value()));
  std::ranges::sort(names);
  return names;
}

Result<> MachineDisk::make_folders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(system_error(path, "create the folder", error.value()));
  return {};
}

Task<Result<>> MachineDisk::sync_folder(std::string path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) co_return fail(system_error(path, "open the folder", errno));
  const long result = co_await sync_descriptor(*helper_, ring_.get(), std::make_shared<Descriptor>(descriptor), SyncKind::all);
  if (result < 0) co_return fail(system_error(path, "sync the folder", static_cast<int>(-result)));
  co_return Result<>{};
}

Result<std::unique_ptr<FolderLock>> MachineDisk::lock(const std::string& folder) {
  const std::string path = folder + "/LOCK";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return fail(system_error(path, "open", errno));
  auto held = std::make_unique<HeldLock>(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(system_error(path, "lock", errno));
    return fail(Errc::already_exists,
                fmt::format("{}: in use by {}: stop it, or choose another data folder", folder, holder(descriptor)));
  }
  // Best effort: the pid is for the message above, the lock itself is the kernel's.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) == 0) [[maybe_unused]]
    const auto written = ::pwrite(descriptor, pid.data(), pid.size(), 0);
  return held;
}

Result<std::uint64_t> MachineDisk::free_bytes(const std::string& folder) const {
  struct statvfs status{};
  if (::statvfs(folder.c_str(), &status) < 0) return fail(system_error(folder, "read its free space", errno));
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace skerry::disk
