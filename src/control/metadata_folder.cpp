// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace skerry::control {
namespace {

constexpr std::string_view mark_name = "skerry-coordinator";
constexpr std::string_view mark_words = "skerry coordinator folder, format ";
constexpr std::string_view provider_words = ", kept by ";
// What a start may leave before the mark is there, and what people put beside it: the cluster's configuration.
constexpr std::array<std::string_view, 5> our_names = {"LOCK", mark_name, "cluster-status", "raft-", "lost+found"};

bool is_ours(const std::string& name) {
  return name.ends_with(".yaml") || std::ranges::any_of(our_names, [&](std::string_view ours) { return name.starts_with(ours); });
}

}  // namespace

Result<std::unique_ptr<MetadataFolder>> MetadataFolder::open(disk::Disk& disk, std::string path, std::string_view provider) {
  std::unique_ptr<MetadataFolder> folder(new MetadataFolder(disk, std::move(path), provider));
  TRYV(disk.make_folders(folder->path_));
  TRYV(folder->check_names());
  TRY(folder->lock_, disk.lock(folder->path_));
  TRY(folder->marked_, disk.exists(folder->file(mark_name)));
  if (folder->marked_) TRYV(folder->check_mark());
  return folder;
}

std::string MetadataFolder::file(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

Result<> MetadataFolder::check_names() const {
  TRY(const bool marked, disk_.exists(file(mark_name)));
  if (marked) return {};
  TRY(const std::vector<std::string> names, disk_.list(path_));
  const auto foreign = std::ranges::find_if_not(names, is_ours);
  if (foreign == names.end()) return {};
  return fail(Errc::invalid_argument,
              fmt::format("{} is no coordinator's folder and not empty (it holds \"{}\"): choose an empty or a "
                          "new folder",
                          path_, *foreign));
}

Result<> MetadataFolder::check_mark() const {
  TRY(const Bytes text, disk::read_file(disk_, file(mark_name)));
  int found = 0;
  BytesView rest = text;
  if (rest.starts_with(mark_words)) rest.remove_prefix(mark_words.size());
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), found);
  if (rest.size() == text.size() || error != std::errc() || found < 1) {
    return fail(Errc::corrupt,
                fmt::format("{} does not say which format the folder has: restore the file from a backup", file(mark_name)));
  }
  if (found > format) {
    return fail(Errc::unsupported,
                fmt::format("{} has format {}, and this program reads up to {}: start the newer Skerry that wrote it", path_,
                            found, format));
  }
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (rest == fmt::format("{}{}\n", provider_words, provider_)) return {};
  return fail(
      Errc::invalid_argument,
      fmt::format(
          "{} holds a cluster's status that is not kept by {} ({}): start the coordinator with the provider that made it, "
          "or choose another folder",
          path_, provider_, printable(text)));
}

Task<Result<>> MetadataFolder::mark() {
  if (marked_) co_return Result<>{};
  CO_TRYV(co_await disk::replace_file(disk_, file(mark_name),
                                      fmt::format("{}{}{}{}\n", mark_words, format, provider_words, provider_)));
  marked_ = true;
  co_return Result<>{};
}

}  // namespace skerry::control
