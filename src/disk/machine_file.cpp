// SPDX-License-Identifier: Apache-2.0
#include "disk/machine_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace skerry::disk {
namespace {

std::string_view remedy(int reason) {
  switch (reason) {
    case ENOSPC: return "the disk is full: free some space, or move the data folder to a larger disk";
    case EDQUOT: return "the disk quota is used up: raise it, or free some space";
    case EACCES:
    case EPERM: return "give this user the right to it, or choose another data folder";
    case EROFS: return "the file system is mounted read-only: remount it (dmesg tells if an error made it so)";
    case EMFILE: return "too many open files in this process: raise `ulimit -n`";
    case ENFILE: return "too many open files on this machine: raise fs.file-max";
    case EIO: return "the device failed: see dmesg, and replace the disk";
    case ENOTDIR: return "a part of the path is not a folder";
    default: return {};
  }
}

std::error_code code_of(int reason) {
  switch (reason) {
    case ENOENT: return Errc::not_found;
    case EEXIST: return Errc::already_exists;
    case ENOSPC:
    case EDQUOT: return Errc::resource_exhausted;
    default: return Errc::io_failed;
  }
}

// Reads until the span is full or the file ends; a count, or minus errno. `flags` as preadv2 takes them.
long read_fully(int file, std::uint64_t position, std::span<char> into, int flags) {
  std::size_t done = 0;
  while (done < into.size()) {
    const iovec piece{into.data() + done, into.size() - done};
    const ssize_t count = ::preadv2(file, &piece, 1, static_cast<off_t>(position + done), flags);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return done > 0 && errno == EAGAIN ? static_cast<long>(done) : -errno;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<long>(done);
}

long write_zeros_fully(int file, std::uint64_t position, std::uint64_t bytes) {
  static constexpr std::array<char, 64 << 10> zeros{};
  std::uint64_t done = 0;
  while (done < bytes) {
    const auto count =
        ::pwrite(file, zeros.data(), std::min<std::uint64_t>(zeros.size(), bytes - done), static_cast<off_t>(position + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    done += static_cast<std::uint64_t>(count);
  }
  return 0;
}

// Drops what was written off the front of the pieces.
void drop_front(std::span<iovec>& pieces, std::size_t count) {
  while (!pieces.empty() && count >= pieces.front().iov_len) {
    count -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (pieces.empty()) return;
  pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + count;
  pieces.front().iov_len -= count;
}

}  // namespace

Error system_error(const std::string& path, std::string_view operation, int reason) {
  const std::string_view help = remedy(reason);
  return {code_of(reason), fmt::format("{}: cannot {}: {}{}{}{}", path, operation, std::generic_category().message(reason),
                                       help.empty() ? "" : " (", help, help.empty() ? "" : ")")};
}

Task<long> sync_descriptor(HelperThread& helper, SyncRing* ring, std::shared_ptr<Descriptor> file, SyncKind kind) {
  if (ring != nullptr) co_return co_await ring->sync(std::move(file), kind);
  co_return co_await helper.run([file = std::move(file), kind]() -> long {
    const int result = kind == SyncKind::data ? ::fdatasync(file->number()) : ::fsync(file->number());
    return result < 0 ? -errno : 0;
  });
}

Result<std::uint64_t> MachineFile::size() const {
  struct stat status{};
  if (::fstat(descriptor_->number(), &status) < 0) return fail(system_error(path_, "read its size", errno));
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::size_t> MachineFile::read_at(std::uint64_t position, std::span<char> into) const {
  const long count = read_fully(descriptor_->number(), position, into, 0);
  if (count < 0) return fail(system_error(path_, "read", static_cast<int>(-count)));
  return static_cast<std::size_t>(count);
}

Task<Result<Bytes>> MachineFile::read(std::uint64_t position, std::size_t bytes) const {
  Bytes cached(bytes, '\0');
  const long at_once = read_fully(descriptor_->number(), position, cached, RWF_NOWAIT);
  if (at_once == static_cast<long>(bytes)) co_return cached;
  // Something is not in memory, or the file ends here, or the file system doesn't know RWF_NOWAIT: let the thread find out.
  auto content = std::make_shared<Bytes>(std::move(cached));
  const long count =
      co_await helper_.run([file = descriptor_, position, content] { return read_fully(file->number(), position, *content, 0); });
  if (count < 0) co_return fail(system_error(path_, "read", static_cast<int>(-count)));
  content->resize(static_cast<std::size_t>(count));
  co_return std::move(*content);
}

Result<> MachineFile::write_at(std::uint64_t position, std::span<const BytesView> pieces) {
  constexpr std::size_t pieces_max = 64;
  static_assert(pieces_max <= IOV_MAX);
  while (!pieces.empty()) {
    std::array<iovec, pieces_max> vectors;
    const std::size_t taken = std::min(pieces.size(), pieces_max);
    for (std::size_t i = 0; i < taken; ++i) {
      vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};   // writev's signature, it does not write there
    }
    pieces = pieces.subspan(taken);
    std::span<iovec> rest(vectors.data(), taken);
    for (drop_front(rest, 0); !rest.empty();) {
      const ssize_t count =
          ::pwritev(descriptor_->number(), rest.data(), static_cast<int>(rest.size()), static_cast<off_t>(position));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(system_error(path_, "write", errno));
      position += static_cast<std::uint64_t>(count);
      drop_front(rest, static_cast<std::size_t>(count));
    }
  }
  return {};
}

Result<> MachineFile::truncate(std::uint64_t size) {
  if (::ftruncate(descriptor_->number(), static_cast<off_t>(size)) < 0) return fail(system_error(path_, "resize", errno));
  return {};
}

Task<Result<>> MachineFile::allocate(std::uint64_t bytes) {
  const long result = co_await helper_.run([file = descriptor_, bytes]() -> long {
    if (::fallocate(file->number(), 0, 0, static_cast<off_t>(bytes)) == 0) return 0;
    // A file system without fallocate: the zeros that follow reserve the room.
    return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
  });
  if (result < 0) co_return fail(system_error(path_, fmt::format("reserve {} bytes", bytes), static_cast<int>(-result)));
  co_return Result<>{};
}

Task<Result<>> MachineFile::write_zeros(std::uint64_t position, std::uint64_t bytes) {
  const long result =
      co_await helper_.run([file = descriptor_, position, bytes] { return write_zeros_fully(file->number(), position, bytes); });
  if (result < 0) co_return fail(system_error(path_, "write", static_cast<int>(-result)));
  co_return Result<>{};
}

Task<Result<>> MachineFile::sync() {
  const long result = co_await sync_descriptor(helper_, ring_, descriptor_, SyncKind::data);
  if (result < 0) co_return fail(system_error(path_, "sync", static_cast<int>(-result)));
  co_return Result<>{};
}

}  // namespace skerry::disk
