// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdio>
#include <optional>
#include <string>

#include "node/backup_file.hpp"

// Where the backup commands write to and read from.
namespace skerry::node {

enum class Existing : bool { kept, replaced };   // a file of that name

// A file that has its name only once it is whole, or standard output. What is not finished is removed.
class BackupOutput {
 public:
  BackupOutput() = default;
  BackupOutput(const BackupOutput&) = delete;
  BackupOutput& operator=(const BackupOutput&) = delete;
  ~BackupOutput();

  Result<> open(const std::string& path, Existing existing);
  Result<> write(BytesView bytes);
  Result<> finish();   // durable

 private:
  std::unexpected<Error> failed(const char* what) const;
  std::string path_, beside_;   // empty: standard output
  int file_ = -1;
};

// A backup from a file or from standard input.
class BackupInput {
 public:
  BackupInput() = default;
  BackupInput(const BackupInput&) = delete;
  BackupInput& operator=(const BackupInput&) = delete;
  ~BackupInput();

  Result<admin::v1::BackupManifest> open(const std::string& path);
  // The next block, which the check has passed; borrowed until the next call. Nothing at the end of a whole backup.
  Result<std::optional<BytesView>> next_block(BackupCheck& check);

 private:
  Result<Bytes> read(std::size_t bytes_max);
  Result<Bytes> read_whole(std::size_t bytes);
  std::string path_;
  std::FILE* file_ = nullptr;
  store::BlockSplitter splitter_;
};

}   // namespace skerry::node
