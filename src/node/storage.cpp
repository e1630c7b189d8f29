// SPDX-License-Identifier: Apache-2.0
#include "node/storage.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"

namespace skerry::node {

Storage::Storage(AppletContext& context, StorageOptions options, Sharded<serve::ShardHost>* hosts)
    : context_(context), cores_(context.cores().size()), log_(context.log("storage")), options_(std::move(options)),
      disk_(context.core) {
  hosts->set(context_.core.id(), this);
}

Storage::~Storage() = default;

Task<Result<>> Storage::start() {
  const std::uint32_t nodes = options_.folder->status().nodes;
  options_.node.engine.cache_bytes /= nodes;
  for (std::uint32_t number = 0; number < nodes; ++number) {
    if (core_of(number, cores_) == context_.core.id()) CO_TRYV(co_await open(number));
  }
  co_return Result<>{};
}

Task<Result<>> Storage::open(std::uint32_t number) {
  CO_TRY(auto node, co_await NodeStorage::open(context_, disk_, options_.folder->node_path(number), number, options_.node));
  NodeStorage& opened = *nodes_.emplace_back(std::move(node));
  CO_TRYV(co_await open_shards(opened));
  opened.group().start();
  co_return Result<>{};
}

Task<Result<>> Storage::open_shards(NodeStorage& node) {
  for (const auto& [name, space] : options_.folder->status().namespaces) {
    for (const auto& [id, status] : space.shards) {
      if (status.node == node.number()) CO_TRYV(co_await open_shard(node, name, space, id));
    }
  }
  co_return Result<>{};
}

Task<Result<>> Storage::open_shard(NodeStorage& node, const std::string& name, const NamespaceStatus& space, ShardId id) {
  const replica::ShardOptions options{
      .order = space.order,
      .notifications = space.notifications,
      .term_above = space.shards.at(id).term.previous(),
      .log_behind = options_.node.log.durable == disk::Durable::yes ? replica::LogBehind::refuse : replica::LogBehind::adopt};
  Result<replica::Shard*> shard = co_await node.group().open(id, options);
  if (!shard) {
    co_return fail(shard.error().code,
                   fmt::format("shard {} of namespace \"{}\": {}", id.value(), name, shard.error().message()));
  }
  shards_[id] = *shard;
  node.shard_metrics().add(name, **shard);
  report(**shard, name);
  co_return Result<>{};
}

NodeStorage& Storage::node_of(std::uint32_t number) const {
  const auto found = std::ranges::find_if(nodes_, [number](const auto& each) { return each->number() == number; });
  SKERRY_ASSERT(found != nodes_.end());
  return **found;
}

Task<Result<>> Storage::add(ShardId shard, std::string name, NamespaceStatus space) {
  co_return co_await open_shard(node_of(space.shards.at(shard).node), name, space, shard);
}

void Storage::allow_followers(ShardId shard, bool allowed) {
  if (replica::Shard* found = find(shard)) found->allow_followers(allowed);
}

Task<> Storage::retire(ShardId shard, std::uint32_t node) {
  shards_.erase(shard);
  node_of(node).shard_metrics().remove(shard);
  co_await node_of(node).group().retire(shard);
}

Task<Result<>> Storage::forget(ShardId shard, std::uint32_t node, Deadline deadline) {
  co_return co_await node_of(node).group().forget(shard, deadline);
}

// --- shards from elsewhere

struct Storage::Restoring {
  std::unique_ptr<replica::StateRestorer> state;
  bool busy = false;   // takes a block

  class Busy;
};

class Storage::Restoring::Busy {
 public:
  explicit Busy(bool& busy) : busy_(busy) { busy_ = true; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { busy_ = false; }

 private:
  bool& busy_;
};

Task<Result<std::optional<std::uint64_t>>> Storage::restore(ShardId shard, std::uint32_t number, store::KeyOrder order,
                                                            Bytes block) {
  NodeStorage& node = node_of(number);
  auto& found = restoring_[shard];
  if (!found) {
    CO_TRY(auto state, replica::StateRestorer::make({context_.core, node.log(), node.engine(), shard, order}));
    found = std::make_shared<Restoring>(std::move(state));
  }
  const std::shared_ptr<Restoring> restoring = found;
  const Restoring::Busy busy(restoring->busy);
  CO_TRY(const auto restored, co_await restoring->state->take(std::move(block)));
  co_return restored ? std::optional(restored->records) : std::nullopt;
}

Task<> Storage::end_restore(ShardId shard) {
  const auto found = restoring_.find(shard);
  if (found == restoring_.end()) co_return;
  const std::shared_ptr<Restoring> restoring = found->second;
  restoring_.erase(found);
  while (restoring->busy) co_await context_.core.sleep_for(10ms);
}

void Storage::report(const replica::Shard& shard, const std::string& space) const {
  const replica::RecoveryReport& recovery = shard.recovery();
  log_.info("shard is serving", {{"namespace", space},
                                 {"shard", shard.id()},
                                 {"term", recovery.term},
                                 {"replayed_entries", recovery.replayed_entries},
                                 {"replayed_bytes", recovery.replayed_bytes},
                                 {"took", recovery.took}});
}

replica::Shard* Storage::find(ShardId shard) {
  const auto found = shards_.find(shard);
  return found == shards_.end() ? nullptr : found->second;
}

Task<> Storage::stop() {
  shards_.clear();
  restoring_.clear();
  for (auto& node : nodes_) co_await node->close();
  nodes_.clear();
}

}  // namespace skerry::node
