// SPDX-License-Identifier: Apache-2.0
#include "node/node_folders.hpp"

#include <fmt/format.h>

namespace skerry::node {
namespace {

std::string parent_of(const std::string& folder) { return folder.substr(0, folder.rfind('/')); }

// Nothing is done where it is gone already.
Task<Result<>> move_aside(disk::Disk& disk, std::string folder) {
  const std::string aside = aside_of(folder);
  CO_TRY(const bool there, disk.exists(folder));
  if (!there) co_return Result<>{};
  CO_TRY(const bool taken, disk.exists(aside));
  if (taken) co_return fail(Errc::already_exists, fmt::format("{} is there already: delete it when it is needed no more", aside));
  CO_TRYV(disk.rename(folder, aside));
  co_return co_await disk.sync_folder(parent_of(folder));
}

}  // namespace

std::string aside_of(const std::string& folder) { return folder + ".damaged"; }

Result<std::string> NodeFolders::kept_aside(disk::Disk& disk) const {
  for (const std::string* folder : {&data, &log}) {
    if (folder->empty()) continue;
    TRY(const bool there, disk.exists(aside_of(*folder)));
    if (there) return aside_of(*folder);
  }
  return std::string();
}

// A data folder that is there is whole: it goes first, and its successor is made last.
Task<Result<>> NodeFolders::put_aside(disk::Disk& disk) const {
  CO_TRYV(co_await move_aside(disk, data));
  if (!log.empty()) CO_TRYV(co_await move_aside(disk, log));
  CO_TRYV(disk.make_folders(data));
  co_return co_await disk.sync_folder(parent_of(data));
}

}  // namespace skerry::node
