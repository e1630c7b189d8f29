// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "disk/testing/simulated_disk.hpp"
#include "runtime/blocking.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "store/memory_engine.hpp"
#include "store/rocksdb_engine.hpp"
#include "store/table_engine.hpp"
#include "store/testing/forgetful_file_system.hpp"
#include "store/testing/run.hpp"

namespace skerry::store::testing {

// An engine on a disk that forgets, with a core of its own: for tests that start, crash and restart engines.
class EngineSubject {
 public:
  virtual ~EngineSubject() = default;
  Core& core() { return *core_; }
  TaskScope& tasks() { return *tasks_; }
  Engine& engine() { return *engine_; }
  ShardEngine& shard(ShardId id) { return **engine_->shard(id); }
  template <class T>
  T run(Task<T> task) {
    return testing::run(*core_, std::move(task));
  }

  Result<> start() {
    core_ = std::make_unique<Core>(CoreId(0), clock_, 1);
    tasks_ = std::make_unique<TaskScope>(*core_);
    return open();
  }
  // The process and its machine die where they stand.
  void crash(Random& random) {
    core_->drop_frames();
    forget(random);
    engine_.reset();
    release();
    tasks_.reset();
    core_.reset();
  }
  Result<> stop() {
    Result<> stopped = run(engine_->stop());
    engine_.reset();
    release();
    tasks_.reset();
    core_.reset();
    return stopped;
  }
  // The disk dies somewhere in the next `changes` steps: whatever is under way fails or hangs there until the crash.
  virtual void die_within(std::uint64_t changes) = 0;

 protected:
  virtual Result<> open() = 0;
  virtual void forget(Random& random) = 0;
  virtual void release() {}   // what open() made beside the engine

  SystemClock clock_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<TaskScope> tasks_;
  std::unique_ptr<Engine> engine_;
};

class MemorySubject final : public EngineSubject {
 public:
  disk::SimulatedDiskState disk;
  void die_within(std::uint64_t changes) override { disk.faults.fail_write = changes; }

 private:
  Result<> open() override {
    disk.faults = {};
    view_ = std::make_unique<disk::SimulatedDisk>(*core_, disk);
    TRY(engine_, run(MemoryEngine::open(*core_, *view_, "/node/engine")));
    return {};
  }
  void forget(Random& random) override { disk.crash(random); }
  void release() override { view_.reset(); }
  std::unique_ptr<disk::SimulatedDisk> view_;
};

// What both engines over RocksDB need: its files, and helper threads or none.
class DatabaseSubject : public EngineSubject {
 public:
  enum class Threads { helper, none };
  DatabaseSubject(std::uint64_t cache_bytes, Threads threads) : cache_bytes_(cache_bytes), threads_(threads) {}
  std::shared_ptr<ForgetfulFileSystem> files = std::make_shared<ForgetfulFileSystem>();
  void die_within(std::uint64_t changes) override { files->stop_after(changes); }

 protected:
  virtual Task<Result<std::unique_ptr<Engine>>> open_on(Blocking& blocking, RocksDbOptions options) = 0;
  const Threads& threads() const { return threads_; }

 private:
  Result<> open() override {
    if (threads_ == Threads::helper) {
      blocking_ = std::make_unique<HelperThreads>(1);
    } else {
      blocking_ = std::make_unique<InlineBlocking>();
    }
    RocksDbOptions options;
    options.cache_bytes = cache_bytes_;
    options.env = environment_of(files);
    TRY(engine_, run(open_on(*blocking_, options)));
    return {};
  }
  void forget(Random& random) override { files = files->crash(random); }
  void release() override { blocking_.reset(); }

  const std::uint64_t cache_bytes_;
  const Threads threads_;
  std::unique_ptr<Blocking> blocking_;
};

class RocksDbSubject final : public DatabaseSubject {
 public:
  using DatabaseSubject::DatabaseSubject;

 private:
  Task<Result<std::unique_ptr<Engine>>> open_on(Blocking& blocking, RocksDbOptions options) override {
    co_return co_await RocksDbEngine::open(blocking, "/engine", options);
  }
};

class TableSubject final : public DatabaseSubject {
 public:
  using DatabaseSubject::DatabaseSubject;
  TableEngine& tables() { return dynamic_cast<TableEngine&>(engine()); }

 private:
  Task<Result<std::unique_ptr<Engine>>> open_on(Blocking& blocking, RocksDbOptions options) override {
    TableEngineOptions all;
    all.cache_bytes = options.cache_bytes;
    all.database = std::move(options);
    if (threads() == Threads::none) all.writer = &blocking;   // every step of every table in its turn
    co_return co_await TableEngine::open(blocking, "/engine", std::move(all));
  }
};

}  // namespace skerry::store::testing
