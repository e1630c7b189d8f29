// SPDX-License-Identifier: Apache-2.0
#include "node/node_storage.hpp"

#include <fmt/format.h>

namespace skerry::node {

// Says so when a log gives up. The shards refuse writes by themselves.
class NodeStorage::LogWatch final : public disk::LogListener {
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

NodeStorage::NodeStorage(AppletContext& context, std::uint32_t number) : number_(number), logger_(context.log("storage")) {}
NodeStorage::~NodeStorage() = default;

Task<Result<std::unique_ptr<NodeStorage>>> NodeStorage::open(AppletContext& context, disk::Disk& disk, std::string folder,
                                                             std::uint32_t number, NodeStorageOptions options) {
  std::unique_ptr<NodeStorage> node(new NodeStorage(context, number));
  const std::string log_path = (options.log_folder.empty() ? folder : log_folder(options, number)) + "/log";
  CO_TRYV(disk.make_folders(log_path));
  // The log last: it is at work from then on, and has to be closed.
  CO_TRY(node->engine_, co_await store::TableEngine::open(context.blocking(), folder + "/engine", options.engine));
  CO_TRY(node->log_, co_await disk::Log::open(context.core, disk, log_path, options.log));
  node->watch_ = std::make_unique<LogWatch>(*node->log_, node->logger_, number);
  node->engine_metrics_ = std::make_unique<EngineMetrics>(context.core, context.metrics(), node->logger_, *node->engine_, number);
  node->group_ = std::make_unique<replica::ShardGroup>(context.core, *node->log_, *node->engine_, options.group);
  node->shard_metrics_ = std::make_unique<ShardMetrics>(context.metrics());
  co_return std::move(node);
}

std::string NodeStorage::log_folder(const NodeStorageOptions& options, std::uint32_t number) {
  return options.log_folder.empty() ? std::string() : fmt::format("{}/node-{}", options.log_folder, number);
}

Task<> NodeStorage::close() {
  const auto tell = [&](const Result<>& done, const char* what) {
    if (!done) {
      logger_.error("did not stop cleanly; the next start recovers",
                    {{"node", number_}, {"part", what}, {"reason", done.error()}});
    }
  };
  shard_metrics_.reset();
  tell(co_await group_->stop(), "shards");
  group_.reset();
  co_await engine_metrics_->stop();
  engine_metrics_.reset();
  tell(co_await engine_->stop(), "engine");
  watch_.reset();
  tell(co_await log_->stop(), "log");
}

}  // namespace skerry::node
