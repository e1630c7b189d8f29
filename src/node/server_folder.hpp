// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "node/folder_claim.hpp"
#include "runtime/random.hpp"

namespace skerry::node {

// The data folder of `skerry server`: a nodepool of one or more nodes.
//   LOCK, skerry-format   see FolderClaim
//   pool                  "pool NAME nodes COUNT": a random name, made once, by which a cluster knows what fails together
//   node-K/               log and engine of node K, and `cluster-node`, what it is in its cluster (control::NodeRecord)
class ServerFolder {
 public:
  // Fails as FolderClaim::open() does, and with invalid_argument when the folder has another number of nodes.
  static Task<Result<std::unique_ptr<ServerFolder>>> open(disk::Disk& disk, std::string path, std::uint32_t nodes,
                                                          Random& random);

  const std::string& pool() const { return pool_; }
  std::string node_path(std::uint32_t node) const;
  std::string record_path(std::uint32_t node) const { return node_path(node) + "/cluster-node"; }
  bool created() const { return created_; }   // by this start

 private:
  explicit ServerFolder(std::unique_ptr<FolderClaim> claim) : claim_(std::move(claim)) {}
  Task<Result<>> make(disk::Disk& disk, std::uint32_t nodes, Random& random);
  Result<> load(disk::Disk& disk, std::uint32_t nodes);

  std::unique_ptr<FolderClaim> claim_;
  std::string pool_;
  bool created_ = false;
};

}   // namespace skerry::node
