// SPDX-License-Identifier: Apache-2.0
#include "sim/store_machine.hpp"

namespace skerry::sim {
namespace {

// Says that names are durable when they aren't.
class UnsyncedNames final : public disk::Disk {
 public:
  explicit UnsyncedNames(std::unique_ptr<disk::Disk> disk) : disk_(std::move(disk)) {}
  Result<std::unique_ptr<disk::File>> open(const std::string& path, disk::OpenMode mode) override {
    return disk_->open(path, mode);
  }
  Result<> rename(const std::string& from, const std::string& to) override { return disk_->rename(from, to); }
  Result<> remove(const std::string& path) override { return disk_->remove(path); }
  Result<bool> exists(const std::string& path) const override { return disk_->exists(path); }
  Result<std::vector<std::string>> list(const std::string& folder) const override { return disk_->list(folder); }
  Result<> make_folders(const std::string& path) override { return disk_->make_folders(path); }
  Task<Result<>> sync_folder(std::string path) override {
    if (path.ends_with("/engine")) co_return Result<>{};
    co_return co_await disk_->sync_folder(std::move(path));
  }
  Result<std::unique_ptr<disk::FolderLock>> lock(const std::string& folder) override { return disk_->lock(folder); }
  Result<std::uint64_t> free_bytes(const std::string& folder) const override { return disk_->free_bytes(folder); }

 private:
  std::unique_ptr<disk::Disk> disk_;
};

}  // namespace

void StoreMachine::boot() {
  core_ = &world_.start_core();
  disk_ = std::make_unique<disk::SimulatedDisk>(*core_, platters);
  if (planted_ == Planted::unsynced_names) disk_ = std::make_unique<UnsyncedNames>(std::move(disk_));
  tasks_ = std::make_unique<TaskScope>(*core_);
}

Task<Result<>> StoreMachine::open() {
  disk::LogOptions log_options{.segment_bytes = 32 << 10, .spare_segments_max = 2};
  if (planted_ == Planted::early_answer) log_options.durable = disk::Durable::no;
  CO_TRY(auto log, co_await disk::Log::open(*core_, *disk_, "/node-0/log", log_options));
  log_ = std::make_unique<WatchedLog>(std::move(log), listener_);
  CO_TRY(engine_, co_await store::MemoryEngine::open(*core_, *disk_, "/node-0/engine"));
  CO_TRY(store::ShardEngine* const state, engine_->shard(shard_id));
  replica::ShardOptions options;
  options.order = order_;
  options.notification_ring_bytes = 4 << 10;   // so small that followers often read the log
  CO_TRY(shard_, co_await replica::Shard::open(*core_, *log_, *state, shard_id, options));
  co_return Result<>{};
}

Task<Result<>> StoreMachine::stop() {
  co_await shard_->stop();
  CO_TRYV(co_await engine_->stop());
  co_return co_await log_->stop();
}

void StoreMachine::crash() {
  if (core_ != nullptr) world_.crash_core(*core_);
  end();
  platters.crash(world_.random);
}

void StoreMachine::kill() {
  if (core_ != nullptr) world_.crash_core(*core_);
  end();
  platters.kill();
}

// What stands above goes first.
void StoreMachine::end() {
  shard_.reset();
  engine_.reset();
  log_.reset();
  tasks_.reset();
  disk_.reset();
  if (core_ != nullptr) world_.remove_core(*std::exchange(core_, nullptr));
}

}  // namespace skerry::sim
