// SPDX-License-Identifier: Apache-2.0
#include "node/cli_backup_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "node/cli_connection.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t read_step = 256 << 10;

}  // namespace

// --- writing

std::unexpected<Error> BackupOutput::failed(const char* what) const {
  return fail(Errc::io_failed,
              fmt::format("cannot {} {}: {}", what, path_.empty() ? "standard output" : path_, std::strerror(errno)));
}

Result<> BackupOutput::open(const std::string& path, Existing existing) {
  if (path == "-") {
    file_ = STDOUT_FILENO;
    return {};
  }
  path_ = path;
  if (std::filesystem::is_directory(path)) {
    return fail(Errc::invalid_argument, fmt::format("{} is a folder: name a file for the backup", path));
  }
  if (existing == Existing::kept && std::filesystem::exists(path)) {
    return fail(Errc::already_exists, fmt::format("{} exists already: choose another file, or say --force", path));
  }
  const std::string beside = path + ".partial";
  file_ = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);   // it is as secret as the records
  if (file_ < 0) return failed("write to");
  beside_ = beside;
  return {};
}

Result<> BackupOutput::write(BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write to");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> BackupOutput::finish() {
  if (beside_.empty()) return {};
  if (::fsync(file_) != 0) return failed("sync");
  if (::rename(beside_.c_str(), path_.c_str()) != 0) return failed("name");
  beside_.clear();
  const std::string folder = std::filesystem::absolute(path_).parent_path();
  const int names = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (names < 0) return failed("sync the folder of");
  const bool synced = ::fsync(names) == 0;
  ::close(names);
  if (!synced) return failed("sync the folder of");
  return {};
}

BackupOutput::~BackupOutput() {
  if (file_ >= 0 && !path_.empty()) ::close(file_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

// --- reading

BackupInput::~BackupInput() {
  if (file_ != nullptr && file_ != stdin) std::fclose(file_);
}

Result<admin::v1::BackupManifest> BackupInput::open(const std::string& path) {
  path_ = path == "-" ? "standard input" : path;
  TRY(file_, open_named(path));
  TRY(const Bytes head, read_whole(preface_head_bytes));
  TRY(const std::size_t length, manifest_length(head));
  TRY(const Bytes manifest, read_whole(length));
  return decode_preface(head, manifest);
}

Result<std::optional<BytesView>> BackupInput::next_block(BackupCheck& check) {
  for (;;) {
    TRY(const auto block, splitter_.next());
    if (block) {
      TRYV(check.take(*block));
      return block;
    }
    TRY(const Bytes more, read(read_step));
    if (more.empty()) break;
    splitter_.add(more);
  }
  if (!splitter_.empty()) return fail(Errc::corrupt, fmt::format("{} ends in the middle of a block", path_));
  TRYV(check.end());
  return std::nullopt;
}

Result<Bytes> BackupInput::read(std::size_t bytes_max) {
  Bytes bytes(bytes_max, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file_));
  if (std::ferror(file_) != 0) return fail(Errc::io_failed, fmt::format("cannot read {}: {}", path_, std::strerror(errno)));
  return bytes;
}

Result<Bytes> BackupInput::read_whole(std::size_t bytes) {
  TRY(Bytes got, read(bytes));
  if (got.size() != bytes) return fail(Errc::corrupt, fmt::format("{} is no backup: it ends at its beginning", path_));
  return got;
}

}   // namespace skerry::node
