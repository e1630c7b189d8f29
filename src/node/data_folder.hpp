// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "disk/disk.hpp"
#include "node/cluster_status.hpp"
#include "node/folder_claim.hpp"
#include "runtime/random.hpp"
#include "runtime/task.hpp"

namespace skerry::node {

// What the person who starts the process asks for. What is left open is taken from the folder, or from the defaults.
struct NamespaceWish {
  std::string name;
  std::optional<std::uint32_t> shards;            // default 1
  std::optional<store::KeyOrder> order;           // default hierarchical
  std::optional<bool> notifications;              // default on; may change at any start
};
struct FolderWish {
  std::uint32_t nodes = 1;                        // of a new folder; later starts keep what is there
  std::vector<NamespaceWish> namespaces;
};

// The data folder of a process that serves data: a lock, a format marker, the status document and a folder per node.
//   LOCK, skerry-format   see FolderClaim
//   cluster-status.yaml   see ClusterStatus; replaced atomically, its last line is a checksum of all above it
//   node-K/               log and engine of node K, and `identity`: the cluster's id and K. A node that is gone, or another
//                         cluster's, is refused: to serve its shards as empty would lose them without a word
// Opened at start, before any core runs, and closed after the last; between, the first core alone changes the status.
class DataFolder {
 public:
  // Creates or opens. Every start takes higher terms: the status with them is durable when this returns. Waits a moment for a
  // process that is just ending.
  // Fails with already_exists (another process), invalid_argument (not a data folder, or a wish that contradicts it),
  // unsupported (written by a newer program), corrupt, io_failed; the text names path and remedy.
  static Task<Result<std::unique_ptr<DataFolder>>> open(disk::Disk& disk, std::string path, FolderWish wish, Random& random);

  const ClusterStatus& status() const { return status_; }
  // Durably, and as a whole or not at all: after a failure the status is what it was, or, once written, what was asked for at the
  // next start. `disk` is the calling core's. One call at a time; nobody else may read status() meanwhile.
  Task<Result<>> replace_status(disk::Disk& disk, ClusterStatus status);
  std::string node_path(std::uint32_t node) const;
  bool created() const { return created_; }   // by this start

 private:
  DataFolder(disk::Disk& disk, std::unique_ptr<FolderClaim> claim) : disk_(disk), claim_(std::move(claim)) {}
  Result<> load();
  Task<Result<>> save(disk::Disk& disk, const ClusterStatus& status);
  Task<Result<>> make_nodes();
  Result<> check_nodes() const;
  std::string identity_of(std::uint32_t node) const;

  disk::Disk& disk_;
  std::unique_ptr<FolderClaim> claim_;
  ClusterStatus status_;
  bool created_ = false;
};

// Adds what is wished for and missing. Fails with invalid_argument where a wish contradicts what exists.
Result<> fulfil(const FolderWish& wish, ClusterStatus& status);

}   // namespace skerry::node
