// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "disk/log.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "replica/shard_group.hpp"
#include "runtime/cores.hpp"
#include "runtime/sharded.hpp"
#include "serve/oxia_service.hpp"
#include "serve/testing/fake_call.hpp"
#include "store/memory_engine.hpp"

namespace skerry::serve::testing {

constexpr ShardId shard_here{0}, shard_there{1};

// A process of two cores on one simulated disk: the namespace "default" has shard 0 on core 0, where every call comes in, and
// shard 1 on core 1. One thread drives both; time moves when nothing else can.
class ServeWorld {
 public:
  explicit ServeWorld(replica::ShardOptions options = {}, OxiaServiceOptions service = {})
      : cores_(2, clock, 1), hosts_(cores_), directory_(here()), service_(here(), hosts_, directory_, service) {
    for (std::uint32_t core = 0; core < 2; ++core) nodes_.push_back(std::make_unique<Node>(*this, CoreId(core), options));
    service_.register_in(methods);
    auto assignments = std::make_shared<Assignments>();
    auto places = even_ranges(shard_here, 2);
    places[0].core = CoreId(0);
    places[1].core = CoreId(1);
    assignments->namespaces["default"] = std::move(places);
    assign(std::move(assignments));
  }
  ~ServeWorld() {
    // Twice: a frame of one core may hold what lives on the other, and sends it home to be freed.
    for (int round = 0; round < 2; ++round) {
      for (const auto& core : cores_.all()) core->drop_frames();
    }
  }

  Core& here() { return cores_.core(CoreId(0)); }
  ShardDirectory& directory() { return directory_; }
  replica::Shard& shard(ShardId id) { return *nodes_[static_cast<std::size_t>(id.value())]->group->find(id); }
  void close_shards() {
    for (auto& node : nodes_) node->open = false;
  }
  void assign(std::shared_ptr<const Assignments> assignments) { directory_.set(std::move(assignments)); }

  // --- driving
  bool turn() {
    bool ran = false;
    for (const auto& core : cores_.all()) ran = core->run_turn() || ran;
    return ran;
  }
  void settle() {
    while (turn()) {}
  }
  bool step() {
    if (turn()) return true;
    std::optional<TimePoint> next;
    for (const auto& core : cores_.all()) {
      if (const auto timer = core->next_timer(); timer && (!next || *timer < *next)) next = timer;
    }
    if (!next) return false;
    clock.advance(*next - clock.now());
    return true;
  }
  template <class Done>
  void run_until(Done done) {
    while (!done()) SKERRY_ASSERT(step());   // it waits for something that never comes
  }
  template <class T>
  T run(Core& core, Task<T> task) {
    std::optional<T> result;
    TaskScope scope(core);
    scope.spawn(keep(std::move(task), result));
    run_until([&] { return result.has_value(); });
    settle();
    return std::move(*result);
  }

  // --- calls; the world keeps them
  FakeCall* call(std::string_view method) {
    method_ = methods.find(fmt::format("/{}/{}", service, method));
    SKERRY_ASSERT(method_ != nullptr);
    return calls_.emplace_back(std::make_unique<FakeCall>(here())).get();
  }
  // Starts a call with one request.
  FakeCall* begin(std::string_view method, const google::protobuf::MessageLite& request) {
    auto* made = call(method);
    made->push(request);
    made->half_close();
    made->start(*method_);
    return made;
  }
  // The same, to its end.
  FakeCall* finish(std::string_view method, const google::protobuf::MessageLite& request) {
    auto* made = begin(method, request);
    run_until([&] { return made->status.has_value(); });
    settle();
    return made;
  }
  FakeCall* write_stream(ShardId shard) {
    auto* made = call("WriteStream");
    made->headers.add("namespace", "default");
    made->headers.add("shard-id", fmt::to_string(shard.value()));
    made->start(*method_);
    return made;
  }
  void start(FakeCall& made) { made.start(*method_); }

  ManualClock clock;
  disk::SimulatedDiskState state;
  rpc::Methods methods;
  std::string service = "io.oxia.proto.v1.OxiaClient";

 private:
  struct Node final : ShardHost {
    Node(ServeWorld& world, CoreId id, const replica::ShardOptions& options)
        : core(world.cores_.core(id)), disk(core, world.state) {
      const std::string folder = fmt::format("/node-{}", id.value());
      log = *world.run(core, disk::Log::open(core, disk, folder + "/log", {.segment_bytes = 8 << 20, .spare_segments_max = 1}));
      engine = *world.run(core, store::MemoryEngine::open(core, disk, folder + "/engine"));
      group = std::make_unique<replica::ShardGroup>(core, *log, *engine, replica::ShardGroupOptions{});
      SKERRY_ASSERT(world.run(core, group->open(ShardId(id.value()), options)).has_value());
      group->start();
      world.hosts_.set(id, this);
    }
    replica::Shard* find(ShardId shard) override { return open ? group->find(shard) : nullptr; }

    Core& core;
    disk::SimulatedDisk disk;
    std::unique_ptr<disk::Log> log;
    std::unique_ptr<store::MemoryEngine> engine;
    std::unique_ptr<replica::ShardGroup> group;
    bool open = true;
  };
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }

  Cores cores_;
  Sharded<ShardHost> hosts_;
  ShardDirectory directory_;
  OxiaService service_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<FakeCall>> calls_;
  const rpc::Method* method_ = nullptr;   // of the newest call
};

}  // namespace skerry::serve::testing
