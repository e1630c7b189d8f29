// SPDX-License-Identifier: Apache-2.0
#include "node/folder_claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "runtime/core.hpp"

namespace skerry::node {
namespace {

constexpr std::string_view format_name = "skerry-format";
constexpr auto lock_patience = 2s;
constexpr auto lock_retry = 20ms;

struct RoleWords {
  FolderRole role;
  std::string_view marker;   // before the format number
  std::string_view command;
};
constexpr std::array roles{RoleWords{FolderRole::standalone, "skerry data folder, format ", "skerry standalone"},
                           RoleWords{FolderRole::server, "skerry node folder, format ", "skerry server"}};

const RoleWords& words(FolderRole role) { return *std::ranges::find(roles, role, &RoleWords::role); }

bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 5> begins{"LOCK", "cluster-status.yaml", "pool", "node-", "lost+found"};
  return name.starts_with(format_name) || std::ranges::any_of(begins, [&](auto each) { return name.starts_with(each); });
}

}  // namespace

Task<Result<std::unique_ptr<FolderClaim>>> FolderClaim::open(disk::Disk& disk, std::string path, FolderRole role) {
  std::unique_ptr<FolderClaim> claim(new FolderClaim(disk, std::move(path), role));
  CO_TRYV(disk.make_folders(claim->path_));
  CO_TRYV(claim->look());
  CO_TRYV(co_await claim->lock());
  if (claim->marked_) CO_TRYV(claim->check_format());
  co_return std::move(claim);
}

// A process that was killed holds its locks until the system has taken it apart.
Task<Result<>> FolderClaim::lock() {
  Core& core = Core::of(co_await asio::this_coro::executor);
  const TimePoint patience_ends = core.clock().now() + lock_patience;
  for (;;) {
    Result<std::unique_ptr<disk::FolderLock>> held = disk_.lock(path_);
    if (held) {
      lock_ = *std::move(held);
      co_return Result<>{};
    }
    if (held.error() != Errc::already_exists || core.clock().now() >= patience_ends) co_return fail(held.error());
    co_await core.sleep_for(lock_retry);
  }
}

// New: empty, or left by a start that was killed before it had written the marker, which comes last.
Result<> FolderClaim::look() {
  TRY(const std::vector<std::string> names, disk_.list(path_));
  TRY(marked_, disk_.exists(file(format_name)));
  if (marked_) return {};
  for (const std::string& name : names) {
    if (!is_ours(name)) {
      return fail(Errc::invalid_argument,
                  fmt::format("{} is no Skerry data folder and not empty (it holds \"{}\"): choose an empty or "
                              "a new folder",
                              path_, name));
    }
  }
  return {};
}

Result<> FolderClaim::check_format() const {
  TRY(const Bytes text, disk::read_file(disk_, file(format_name)));
  for (const RoleWords& other : roles) {
    if (other.role != role_ && text.starts_with(other.marker)) {
      return fail(Errc::invalid_argument,
                  fmt::format("{} is a folder of `{}`, which can't be taken over: choose another folder, or "
                              "start that",
                              path_, other.command));
    }
  }
  const std::string_view marker = words(role_).marker;
  int found = 0;
  const bool readable = text.starts_with(marker) &&
                        std::from_chars(text.data() + marker.size(), text.data() + text.size(), found).ec == std::errc{};
  if (!readable || found < 1) {
    return fail(Errc::corrupt, fmt::format("{} does not say which format the data folder has: restore the file from a backup",
                                           file(format_name)));
  }
  if (found > format) {
    return fail(Errc::unsupported,
                fmt::format("{} has format {}, and this program reads up to {}: start the newer Skerry that wrote it", path_,
                            found, format));
  }
  return {};
}

Task<Result<>> FolderClaim::mark() {
  co_return co_await disk::replace_file(disk_, file(format_name), fmt::format("{}{}\n", words(role_).marker, format));
}

}  // namespace skerry::node
