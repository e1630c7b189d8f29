// SPDX-License-Identifier: Apache-2.0
#include "disk/disk.hpp"

namespace skerry::disk {
namespace {

Task<Result<>> write_whole(Disk& disk, const std::string& path, BytesView content) {
  if (auto removed = disk.remove(path); !removed && removed.error() != Errc::not_found) co_return fail(removed.error());
  CO_TRY(const auto file, disk.open(path, OpenMode::create));
  CO_TRYV(file->write_at(0, {&content, 1}));
  co_return co_await file->sync();
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<Bytes> read_file(Disk& disk, const std::string& path) {
  TRY(const auto file, disk.open(path, OpenMode::read));
  TRY(const std::uint64_t size, file->size());
  Bytes content(size, '\0');
  TRY(const std::size_t read, file->read_at(0, content));
  content.resize(read);
  return content;
}

Task<Result<>> replace_file(Disk& disk, std::string path, Bytes content) {
  const std::string beside = path + ".new";
  CO_TRYV(co_await write_whole(disk, beside, content));
  CO_TRYV(disk.rename(beside, path));
  co_return co_await disk.sync_folder(folder_of(path));
}

}  // namespace skerry::disk
