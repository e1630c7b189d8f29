// SPDX-License-Identifier: Apache-2.0
#include "node/server_folder.hpp"

#include <fmt/format.h>

#include <sstream>

#include "node/node_folders.hpp"

namespace skerry::node {

Task<Result<std::unique_ptr<ServerFolder>>> ServerFolder::open(disk::Disk& disk, std::string path, std::uint32_t nodes,
                                                               Random& random) {
  CO_TRY(auto claim, co_await FolderClaim::open(disk, std::move(path), FolderRole::server));
  std::unique_ptr<ServerFolder> folder(new ServerFolder(std::move(claim)));
  folder->created_ = !folder->claim_->marked();
  if (folder->created_) {
    CO_TRYV(co_await folder->make(disk, nodes, random));
  } else {
    CO_TRYV(folder->load(disk, nodes));
  }
  co_return std::move(folder);
}

std::string ServerFolder::node_path(std::uint32_t node) const { return fmt::format("{}/node-{}", claim_->path(), node); }

Task<Result<>> ServerFolder::make(disk::Disk& disk, std::uint32_t nodes, Random& random) {
  pool_ = fmt::format("{:016x}", random.next());
  for (std::uint32_t node = 0; node < nodes; ++node) CO_TRYV(disk.make_folders(node_path(node)));
  CO_TRYV(co_await disk::replace_file(disk, claim_->file("pool"), fmt::format("pool {} nodes {}\n", pool_, nodes)));
  co_return co_await claim_->mark();
}

Result<> ServerFolder::load(disk::Disk& disk, std::uint32_t nodes) {
  const std::string path = claim_->file("pool");
  TRY(const Bytes text, disk::read_file(disk, path));
  std::istringstream words(text);
  std::string pool, of_nodes;
  std::uint32_t count = 0;
  if (!(words >> pool >> pool_ >> of_nodes >> count) || pool != "pool" || of_nodes != "nodes" || count == 0) {
    return fail(Errc::corrupt, fmt::format("{} was cut or changed: restore it from a copy", path));
  }
  if (count != nodes) {
    return fail(Errc::invalid_argument,
                fmt::format("{} holds {} nodes, and this start asks for {} cores: a node needs a core of its own, so start with "
                            "--cores {}, or use another folder",
                            claim_->path(), count, nodes, count));
  }
  for (std::uint32_t node = 0; node < count; ++node) {
    TRY(const bool there, disk.exists(node_path(node)));
    TRY(const bool aside, disk.exists(aside_of(node_path(node))));   // then it was about to be made
    if (!there && !aside) {
      return fail(Errc::corrupt,
                  fmt::format("{} is missing, and with it the records of that node: put it back from a copy, or make "
                              "it as an empty folder, and the node joins anew and is filled by the others",
                              node_path(node)));
    }
  }
  return {};
}

}  // namespace skerry::node
