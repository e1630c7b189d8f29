// SPDX-License-Identifier: Apache-2.0
#include "net/file_stamp.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace skerry::net {
namespace {

constexpr std::int64_t nanos(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

std::unexpected<Error> cannot_read(const std::string& path, int error) {
  return fail(error == ENOENT ? Errc::not_found : Errc::io_failed, "cannot read " + path + ": " + std::strerror(error));
}

struct Descriptor {
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  int number;
};

}  // namespace

FileStamp FileStamp::of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {nanos(found.st_mtim), nanos(found.st_ctim), found.st_ino, static_cast<std::uint64_t>(found.st_size)};
}

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) return cannot_read(path, errno);
  std::string text;
  char buffer[16 << 10];
  for (;;) {
    const ssize_t count = ::read(file.number, buffer, sizeof buffer);
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannot_read(path, errno);
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > bytes_max) {
      return fail(Errc::resource_exhausted, path + " is larger than " + std::to_string(bytes_max) + " bytes, the limit");
    }
  }
}

}  // namespace skerry::net
