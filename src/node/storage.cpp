// SPDX-License-Identifier: Apache-2.0
#include "node/storage.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "node/engine_metrics.hpp"
#include "node/shard_metrics.hpp"

namespace skerry::node {
namespace {

// Says so when a log gives up. The shards refuse writes by themselves.
class LogWatch final : public disk::LogListener {
 public:
  LogWatch(disk::Log& log, Logger logger, std::uint32_t node) : log_(log), logger_(logger), node_(node) {
    log_.add_listener(*this);
  }
  ~LogWatch() override { log_.remove_listener(*this); }
  void on_synced(disk::Sequence) override {}
  void on_stopped(const Error& reason) override {
    logger_.error("the log takes no more writes; reads go on; mend the cause and restart", {{"node", node_}, {"reason", reason}});
  }

 private:
  disk::Log& log_;
  Logger logger_;
  std::uint32_t node_;
};

}  // namespace

struct Storage::Node {
  std::uint32_t number = 0;
  std::unique_ptr<disk::Log> log;
  std::unique_ptr<LogWatch> watch;
  std::unique_ptr<store::TableEngine> engine;
  std::unique_ptr<EngineMetrics> engine_metrics;
  std::unique_ptr<replica::ShardGroup> group;
  std::unique_ptr<ShardMetrics> metrics;
};

Storage::Storage(AppletContext& context, StorageOptions options, Sharded<serve::ShardHost>* hosts)
    : core_(context.core), cores_(context.cores().size()), blocking_(context.blocking()), metrics_(context.metrics()),
      log_(context.log("storage")), options_(std::move(options)), disk_(context.core) {
  hosts->set(core_.id(), this);
}

Storage::~Storage() = default;

Task<Result<>> Storage::start() {
  const std::uint32_t nodes = options_.folder->status().nodes;
  options_.engine.cache_bytes /= nodes;
  for (std::uint32_t number = 0; number < nodes; ++number) {
    if (core_of(number, cores_) == core_.id()) CO_TRYV(co_await open(number));
  }
  co_return Result<>{};
}

Task<Result<>> Storage::open(std::uint32_t number) {
  Node& node = *nodes_.emplace_back(std::make_unique<Node>());
  node.number = number;
  const std::string path = options_.folder->node_path(number);
  const std::string log_path =
      options_.log_folder.empty() ? path + "/log" : fmt::format("{}/node-{}/log", options_.log_folder, number);
  CO_TRYV(disk_.make_folders(log_path));
  CO_TRY(node.log, co_await disk::Log::open(core_, disk_, log_path, options_.log));
  node.watch = std::make_unique<LogWatch>(*node.log, log_, number);
  CO_TRY(node.engine, co_await store::TableEngine::open(blocking_, path + "/engine", options_.engine));
  node.engine_metrics = std::make_unique<EngineMetrics>(core_, metrics_, log_, *node.engine, number);
  node.group = std::make_unique<replica::ShardGroup>(core_, *node.log, *node.engine, options_.group);
  CO_TRYV(co_await open_shards(node));
  node.group->start();
  co_return Result<>{};
}

Task<Result<>> Storage::open_shards(Node& node) {
  node.metrics = std::make_unique<ShardMetrics>(metrics_);
  for (const auto& [name, space] : options_.folder->status().namespaces) {
    for (const auto& [id, status] : space.shards) {
      if (status.node == node.number) CO_TRYV(co_await open_shard(node, name, space, id));
    }
  }
  co_return Result<>{};
}

Task<Result<>> Storage::open_shard(Node& node, const std::string& name, const NamespaceStatus& space, ShardId id) {
  const replica::ShardOptions options{
      .order = space.order,
      .notifications = space.notifications,
      .term_above = space.shards.at(id).term.previous(),
      .log_behind = options_.log.durable == disk::Durable::yes ? replica::LogBehind::refuse : replica::LogBehind::adopt};
  Result<replica::Shard*> shard = co_await node.group->open(id, options);
  if (!shard) {
    co_return fail(shard.error().code,
                   fmt::format("shard {} of namespace \"{}\": {}", id.value(), name, shard.error().message()));
  }
  shards_[id] = *shard;
  node.metrics->add(name, **shard);
  report(**shard, name);
  co_return Result<>{};
}

Storage::Node& Storage::node_of(std::uint32_t number) const {
  const auto found = std::ranges::find_if(nodes_, [number](const auto& each) { return each->number == number; });
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
  node_of(node).metrics->remove(shard);
  co_await node_of(node).group->retire(shard);
}

Task<Result<>> Storage::forget(ShardId shard, std::uint32_t node, Deadline deadline) {
  co_return co_await node_of(node).group->forget(shard, deadline);
}

// --- shards from elsewhere

struct Storage::Restoring {
  store::SnapshotInstaller installer;
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
  Node& node = node_of(number);
  auto& found = restoring_[shard];
  if (!found) {
    CO_TRY(store::ShardEngine * state, node.engine->shard(shard));
    found = std::make_shared<Restoring>(store::SnapshotInstaller(*state, std::nullopt, order));
  }
  const std::shared_ptr<Restoring> restoring = found;
  const Restoring::Busy busy(restoring->busy);
  co_return co_await take(node, shard, *restoring, std::move(block));
}

Task<Result<std::optional<std::uint64_t>>> Storage::take(Node& node, ShardId shard, Restoring& restoring, Bytes block) {
  while (!node.engine->has_room()) {
    if (auto obstacle = node.engine->obstacle()) co_return fail(*std::move(obstacle));
    co_await core_.sleep_for(10ms);
  }
  CO_TRYV(node.engine->health());
  store::SnapshotInstaller& installer = restoring.installer;
  CO_TRYV(installer.take(block));
  if (!installer.whole()) co_return std::nullopt;
  CO_TRYV(co_await installer.finish());
  // The shard takes it when it is opened, because its log says so.
  CO_TRY(const disk::Sequence sequence, node.log->snapshot_installed(shard, installer.head().term, installer.head().offset));
  CO_TRYV(co_await node.log->wait_synced(sequence));
  co_return installer.place().records;
}

Task<> Storage::end_restore(ShardId shard) {
  const auto found = restoring_.find(shard);
  if (found == restoring_.end()) co_return;
  const std::shared_ptr<Restoring> restoring = found->second;
  restoring_.erase(found);
  while (restoring->busy) co_await core_.sleep_for(10ms);
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
  for (auto& node : nodes_) co_await close(*node);
  nodes_.clear();
}

Task<> Storage::close(Node& node) {
  const auto tell = [&](const Result<>& done, const char* what) {
    if (!done)
      log_.error("did not stop cleanly; the next start recovers",
                 {{"node", node.number}, {"part", what}, {"reason", done.error()}});
  };
  node.metrics.reset();
  if (node.group) tell(co_await node.group->stop(), "shards");
  node.group.reset();
  if (node.engine_metrics) co_await node.engine_metrics->stop();
  node.engine_metrics.reset();
  if (node.engine) tell(co_await node.engine->stop(), "engine");
  node.watch.reset();
  if (node.log) tell(co_await node.log->stop(), "log");
}

}  // namespace skerry::node
