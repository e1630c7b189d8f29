// SPDX-License-Identifier: Apache-2.0
#include "node/data_folder.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/hash.hpp"
#include "base/limits.hpp"
#include "control/cluster_config.hpp"
#include "runtime/cores.hpp"

namespace skerry::node {
namespace {

constexpr std::string_view status_name = "cluster-status.yaml";
constexpr std::string_view checksum_words = "# checksum of all above: ";
constexpr const char* identity_name = "/identity";

std::string checksum_line(const std::string& text) { return fmt::format("{}{:08x}\n", checksum_words, crc32c(text)); }

Result<> agree(const NamespaceWish& wish, NamespaceStatus& space) {
  if (wish.shards && *wish.shards != space.shards.size()) {
    return fail(
        Errc::invalid_argument,
        fmt::format("namespace \"{0}\" has {1} shards in this data folder, and {2} are asked for; a shard count is fixed when a "
                    "namespace is made: start with {1}, or use another data folder",
                    wish.name, space.shards.size(), *wish.shards));
  }
  if (wish.order && *wish.order != space.order) {
    return fail(
        Errc::invalid_argument,
        fmt::format("namespace \"{0}\" sorts its keys in {1} order in this data folder, and {2} is asked for; the order is fixed "
                    "when a namespace is made: start with {1}, or use another data folder",
                    wish.name, store::order_name(space.order), store::order_name(*wish.order)));
  }
  space.notifications = wish.notifications.value_or(space.notifications);
  return {};
}

}  // namespace

Result<> fulfil(const FolderWish& wish, ClusterStatus& status) {
  for (const NamespaceWish& each : wish.namespaces) {
    TRYV(control::check_namespace_name(each.name));
    if (each.shards && (*each.shards == 0 || *each.shards > limits::namespace_shards_max)) {
      return fail(Errc::invalid_argument, fmt::format("namespace \"{}\" can't have {} shards: ask for 1 to {}", each.name,
                                                      *each.shards, limits::namespace_shards_max));
    }
    if (const auto found = status.namespaces.find(each.name); found != status.namespaces.end()) {
      TRYV(agree(each, found->second));
    } else if (status.namespaces.size() >= limits::cluster_namespaces_max) {
      return fail(Errc::resource_exhausted,
                  fmt::format("namespace \"{}\" would be one more than the {} that a data folder can have", each.name,
                              limits::cluster_namespaces_max));
    } else {
      status.add_namespace(each.name, control::split_hashes(each.shards.value_or(1)),
                           each.order.value_or(store::KeyOrder::hierarchical), each.notifications.value_or(true));
    }
  }
  return {};
}

Task<Result<std::unique_ptr<DataFolder>>> DataFolder::open(disk::Disk& disk, std::string path, FolderWish wish, Random& random) {
  CO_TRY(auto claim, co_await FolderClaim::open(disk, std::move(path), FolderRole::standalone));
  std::unique_ptr<DataFolder> folder(new DataFolder(disk, std::move(claim)));
  folder->created_ = !folder->claim_->marked();
  if (folder->created_) {
    folder->status_.instance_id = fmt::format("{:016x}{:016x}", random.next(), random.next());
    folder->status_.nodes = wish.nodes;
  } else {
    CO_TRYV(folder->load());
  }
  if (Result<> done = fulfil(wish, folder->status_); !done) {
    co_return fail(done.error().code, fmt::format("{}: {}", folder->claim_->path(), done.error().message()));
  }
  for (auto& [name, space] : folder->status_.namespaces) {
    for (auto& [id, shard] : space.shards) shard.term = shard.term.next();
  }
  if (folder->created_) {
    CO_TRYV(co_await folder->make_nodes());
  } else {
    CO_TRYV(folder->check_nodes());
  }
  CO_TRYV(co_await folder->save(disk, folder->status_));
  if (folder->created_) CO_TRYV(co_await folder->claim_->mark());
  co_return std::move(folder);
}

std::string DataFolder::node_path(std::uint32_t node) const { return fmt::format("{}/node-{}", claim_->path(), node); }

std::string DataFolder::identity_of(std::uint32_t node) const {
  return fmt::format("cluster {} node {}\n", status_.instance_id, node);
}

Task<Result<>> DataFolder::make_nodes() {
  for (std::uint32_t node = 0; node < status_.nodes; ++node) {
    CO_TRYV(disk_.make_folders(node_path(node)));
    CO_TRYV(co_await disk::replace_file(disk_, node_path(node) + identity_name, identity_of(node)));
  }
  co_return co_await disk_.sync_folder(claim_->path());
}

Result<> DataFolder::check_nodes() const {
  for (std::uint32_t node = 0; node < status_.nodes; ++node) {
    const std::string path = node_path(node) + identity_name;
    TRY(const bool there, disk_.exists(path));
    if (!there) {
      return fail(Errc::corrupt,
                  fmt::format("{} is missing, and with it the records of that node: put the node's folder back from a "
                              "backup of this data folder",
                              path));
    }
    TRY(const Bytes text, disk::read_file(disk_, path));
    if (text != identity_of(node)) {
      return fail(Errc::corrupt, fmt::format("{} belongs to another cluster or node ({}): put this data folder's own node back",
                                             path, printable(text)));
    }
  }
  return {};
}

Result<> DataFolder::load() {
  const std::string path = claim_->file(status_name);
  const std::string remedy = "restore it from a backup of this data folder";
  TRY(const bool there, disk_.exists(path));
  if (!there) return fail(Errc::corrupt, fmt::format("{} is missing: {}", path, remedy));
  TRY(const Bytes whole, disk::read_file(disk_, path));
  const std::size_t tail = whole.rfind(checksum_words);
  const std::string text = whole.substr(0, tail);
  if (tail == Bytes::npos || whole.substr(tail) != checksum_line(text)) {
    return fail(Errc::corrupt, fmt::format("{} was cut or changed (its checksum does not match): {}", path, remedy));
  }
  Result<ClusterStatus> read = ClusterStatus::from_yaml(text);
  if (!read) return fail(Errc::corrupt, fmt::format("{}, {}: {}", path, read.error().message(), remedy));
  status_ = std::move(*read);
  return {};
}

Task<Result<>> DataFolder::save(disk::Disk& disk, const ClusterStatus& status) {
  const std::string text = status.to_yaml();
  co_return co_await disk::replace_file(disk, claim_->file(status_name), text + checksum_line(text));
}

Task<Result<>> DataFolder::replace_status(disk::Disk& disk, ClusterStatus status) {
  CO_TRYV(co_await save(disk, status));
  status_ = std::move(status);
  co_return Result<>{};
}

}  // namespace skerry::node
