// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "replica/shard.hpp"
#include "runtime/cores.hpp"
#include "runtime/sharded.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::serve {

// Where a shard is and which hashes belong to it, both ends inclusive.
struct ShardPlace {
  ShardId shard;
  std::uint32_t hash_min = 0;
  std::uint32_t hash_max = 0;
  std::optional<CoreId> core;   // where this process hosts it; nothing when it doesn't
  // The address that clients are told. Nothing: the authority that each request was sent to (standalone). Empty: nobody leads.
  std::optional<std::string> leader;
};

// What exists, as of one moment. Immutable, so that every core may share it.
struct Assignments {
  std::map<std::string, std::vector<ShardPlace>, std::less<>> namespaces;
  std::vector<std::string> allowed_authorities;
};

// The ranges of a namespace that starts with `count` shards. Requires: count > 0.
std::vector<ShardPlace> even_ranges(ShardId first, std::uint32_t count);

// What the services of one core know of the shards of the process and the cluster. One core's; told by the node, outlives the
// services that ask.
class ShardDirectory {
 public:
  explicit ShardDirectory(Core& core) : changed_(core) {}

  void set(std::shared_ptr<const Assignments> assignments);
  // Null until the first set(): then nothing can be answered yet.
  const std::shared_ptr<const Assignments>& assignments() const { return assignments_; }
  // Returns once assignments() is no longer `known`.
  Task<> wait_changed(std::shared_ptr<const Assignments> known) const;
  const ShardPlace* find(ShardId shard) const;   // valid until the next set()
  std::string_view namespace_of(ShardId shard) const;   // the same; "" when there is no such shard
  // Of a shard that was split or merged: those that have its hashes now. Only of the newest `retired_max`, and since the process
  // runs.
  std::vector<ShardPlace> heirs_of(ShardId retired) const;
  // The same where they have no other hashes than it had, as after splits; else nothing.
  std::vector<ShardPlace> heirs_alone_of(ShardId retired) const;

 private:
  static constexpr std::size_t retired_max = 1024;
  struct Retired {
    std::string name_space;
    std::uint32_t hash_min = 0;
    std::uint32_t hash_max = 0;
  };
  void note_retired(const Assignments& before);

  std::shared_ptr<const Assignments> assignments_;
  std::map<ShardId, const ShardPlace*> places_;
  std::map<ShardId, std::string_view> namespaces_;
  std::map<ShardId, Retired> retired_;   // the oldest have the lowest ids
  mutable WaitList changed_;   // who waits changes nothing that others see
};

// The open shards of one core, whatever groups they belong to.
class ShardHost {
 public:
  virtual ~ShardHost() = default;
  virtual replica::Shard* find(ShardId shard) = 0;   // null: not (or not yet) open here
};

}   // namespace skerry::serve
