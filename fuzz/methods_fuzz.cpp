// SPDX-License-Identifier: Apache-2.0
// Any requests to the public methods, through to a shard's log and state. Whatever is asked, nothing crashes, every call ends, an
// answer that is made without parsing is the one that the handler would give, the shard goes on serving, and what its log holds
// makes the same state again.
//
// Input: calls as asked.hpp takes them. Flags: 1 requests are looked at before they are parsed, 2 headers that name no shard,
// 4 then time passes.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "asked.hpp"
#include "base/assert.hpp"
#include "base/hash.hpp"
#include "disk/log.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "replica/shard_group.hpp"
#include "runtime/cores.hpp"
#include "runtime/sharded.hpp"
#include "runtime/task_scope.hpp"
#include "serve/oxia_service.hpp"
#include "serve/store_v1_service.hpp"
#include "serve/testing/fake_call.hpp"
#include "store/memory_engine.hpp"
#include "store/state_machine.hpp"

namespace skerry {
namespace {

constexpr ShardId shard_id{0};
constexpr std::size_t calls_max = 16;
constexpr Duration step = 3s;   // longer than the shortest session and time to live

// One shard with everything that serves it, on a clock that is moved by hand.
class World final : serve::ShardHost {
 public:
  World() : cores_(1, clock_, 1), hosts_(cores_), disk_(core(), state_), directory_(core()) {
    log_ = *run(disk::Log::open(core(), disk_, "/log", {.segment_bytes = 256 << 10, .spare_segments_max = 0}));
    engine_ = *run(store::MemoryEngine::open(core(), disk_, "/engine"));
    group_ = std::make_unique<replica::ShardGroup>(core(), *log_, *engine_, replica::ShardGroupOptions{});
    SKERRY_ASSERT(run(group_->open(shard_id, {})).has_value());
    group_->start();
    hosts_.set(CoreId(0), this);
    oxia_.register_in(methods);
    v1_.register_in(methods);
    auto assignments = std::make_shared<serve::Assignments>();
    auto places = serve::even_ranges(shard_id, 1);
    places[0].core = CoreId(0);
    assignments->namespaces["default"] = std::move(places);
    directory_.set(std::move(assignments));
  }
  ~World() override {
    for (int round = 0; round < 2; ++round) core().drop_frames();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  replica::Shard* find(ShardId id) override { return group_->find(id); }
  Core& core() { return cores_.core(CoreId(0)); }
  void settle() {
    while (core().run_turn()) {}
  }
  void pass(Duration time) {
    const TimePoint until = clock_.now() + time;
    for (settle(); core().next_timer().value_or(no_deadline) <= until; settle()) {
      if (*core().next_timer() > clock_.now()) clock_.advance(*core().next_timer() - clock_.now());
    }
    clock_.advance(until - clock_.now());
    settle();
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    TaskScope scope(core());
    scope.spawn(keep(std::move(task), result));
    settle();
    SKERRY_ASSERT(result.has_value());   // it waits for something that never comes
    return std::move(*result);
  }

  // The same entries in another state machine make the same state.
  void check_replay() {
    store::MemoryEngine engine;
    store::ShardEngine& replayed = **engine.shard(shard_id);
    store::StateMachine machine(shard_id, store::KeyOrder::hierarchical, replayed);
    SKERRY_ASSERT(run(machine.open()).has_value());
    const disk::LogShard logged = log_->shard(shard_id);
    for (Offset next = logged.first; next <= logged.last;) {
      const auto entries = run(log_->read(shard_id, next, 64 << 10));
      SKERRY_ASSERT(entries && !entries->empty());
      for (const disk::LogEntry& entry : *entries) SKERRY_ASSERT(machine.apply(entry.offset, entry.payload).has_value());
      next = entries->back().offset.next();
    }
    store::ShardEngine& served = **engine_->shard(shard_id);
    SKERRY_ASSERT(served.applied() == logged.last && replayed.applied() == logged.last);
    SKERRY_ASSERT(checksum(served) == checksum(replayed));
  }

  rpc::Methods methods;

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
  static std::uint32_t checksum(store::ShardEngine& engine) {
    Bytes all;
    for (std::size_t space = 1; space < store::space_count; ++space) {
      const auto cursor = engine.cursor(store::Space(space));
      for (cursor->seek({}); cursor->state() == store::Cursor::State::record; cursor->next()) {
        append_sized(all, cursor->key());
        append_sized(all, cursor->value());
      }
      all.push_back('|');
    }
    return crc32c(all);
  }

  ManualClock clock_;
  disk::SimulatedDiskState state_;
  Cores cores_;
  Sharded<serve::ShardHost> hosts_;
  disk::SimulatedDisk disk_;
  std::unique_ptr<disk::Log> log_;
  std::unique_ptr<store::MemoryEngine> engine_;
  std::unique_ptr<replica::ShardGroup> group_;
  serve::ShardDirectory directory_;
  serve::OxiaService oxia_{core(), hosts_, directory_, {}};
  serve::StoreV1Service v1_{core(), hosts_, directory_, serve::AuthorityCheck::off};
};

bool follows(const rpc::Method& method) {
  return method.name.ends_with("/GetNotifications") || method.name.ends_with("/GetSequenceUpdates") ||
         method.name.ends_with("/GetShardAssignments");
}

void begin(serve::testing::FakeCall& call, const Asked& asked, bool at_once) {
  call.answers_at_once = at_once;
  if ((asked.flags & 2) == 0) {
    call.headers.add("namespace", "default");
    call.headers.add("shard-id", "0");
  }
  for (const Bytes& request : asked.requests) call.push_bytes(request);
  call.half_close();
  call.start(*asked.method);
}

// Messages of one kind, one behind the other, are what all of them say together.
Bytes together(const serve::testing::FakeCall& call) {
  Bytes all;
  for (const Bytes& reply : call.replies) all += reply;
  return all;
}

void ask(World& world, const Asked& asked) {
  const auto call = std::make_unique<serve::testing::FakeCall>(world.core());
  begin(*call, asked, (asked.flags & 1) != 0);
  world.settle();
  if (follows(*asked.method) && !call->ended()) call->cancel();
  world.settle();
  SKERRY_ASSERT(call->ended());
  SKERRY_ASSERT(call->status.has_value() || follows(*asked.method));
  if ((asked.flags & 1) == 0 || !asked.method->name.ends_with(".OxiaClient/Read") || !call->status->ok()) return;

  const auto handled = std::make_unique<serve::testing::FakeCall>(world.core());
  begin(*handled, asked, false);
  world.settle();
  SKERRY_ASSERT(handled->status && handled->status->ok());
  serve::proto::ReadResponse one, other;
  SKERRY_ASSERT(one.ParseFromString(together(*call)) && other.ParseFromString(together(*handled)));
  SKERRY_ASSERT(one.SerializeAsString() == other.SerializeAsString());
}

// Under a key of its own, whatever was asked before.
void check_serving(World& world) {
  serve::proto::WriteRequest write;
  write.set_shard(shard_id.value());
  auto& put = *write.add_puts();
  put.set_key("still/serving");
  put.set_value("yes");
  serve::testing::FakeCall writing(world.core());
  begin(writing, {&named(world.methods, "/io.oxia.proto.v1.OxiaClient/Write"), 0, {write.SerializeAsString()}}, false);
  world.settle();
  SKERRY_ASSERT(writing.status && writing.status->ok());
  SKERRY_ASSERT(writing.reply<serve::proto::WriteResponse>(0).puts(0).status() == serve::proto::OK);

  serve::proto::ReadRequest read;
  read.set_shard(shard_id.value());
  auto& get = *read.add_gets();
  get.set_key("still/serving");
  get.set_include_value(true);
  serve::testing::FakeCall reading(world.core());
  begin(reading, {&named(world.methods, "/io.oxia.proto.v1.OxiaClient/Read"), 0, {read.SerializeAsString()}}, true);
  world.settle();
  SKERRY_ASSERT(reading.status && reading.status->ok());
  SKERRY_ASSERT(reading.reply<serve::proto::ReadResponse>(0).gets(0).value() == "yes");
}

}   // namespace
}   // namespace skerry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  ByteReader input(BytesView(reinterpret_cast<const char*>(data), size));
  World world;
  for (std::size_t calls = 0; calls < calls_max && input.ok() && !input.done(); ++calls) {
    const Asked asked = take_call(world.methods, input);
    ask(world, asked);
    if ((asked.flags & 4) != 0) world.pass(step);
  }
  check_serving(world);
  world.check_replay();
  return 0;
}
