// SPDX-License-Identifier: Apache-2.0
// Anything that a coordinator or another node may say on a node's internal port, through to its replicas, their log and state.
// Whatever is asked, nothing crashes, every call ends, and what the node keeps can be opened again.
//
// Input: calls as asked.hpp takes them. Flags: 1 from another cluster, 2 from node 3 instead of 2, 4 then time passes, 8 the call
// stays open beside the next ones.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "asked.hpp"
#include "base/assert.hpp"
#include "control/node_agent.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "fuzz_world.hpp"
#include "net/testing/memory_network.hpp"
#include "serve/testing/fake_call.hpp"
#include "store/memory_engine.hpp"

namespace skerry {
namespace {

constexpr std::size_t calls_max = 16;
constexpr Duration step = 3s;

// One life of a node on the disk it is given.
class Node final : control::NodeListener {
 public:
  Node(FuzzWorld& world, disk::Disk& disk) : world_(world), disk_(disk) { world_.run(open()); }
  ~Node() override { world_.run(stop()); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void ask(const Asked& asked) {
    auto call = std::make_unique<serve::testing::FakeCall>(world_.core);
    call->headers.add("skerry-instance", (asked.flags & 1) != 0 ? "ridge" : "reef");
    call->headers.add("skerry-to", "1");
    call->headers.add("skerry-from", (asked.flags & 2) != 0 ? "3" : "2");
    call->headers.add("skerry-epoch", "1");
    for (const Bytes& request : asked.requests) call->push_bytes(request);
    if ((asked.flags & 8) == 0) call->half_close();
    call->start(*asked.method);
    world_.settle();
    if ((asked.flags & 4) != 0) world_.pass(step);
    if (!call->ended()) open_.push_back(std::move(call));
  }

  rpc::Methods methods;

 private:
  Task<> open() {
    record_ = *co_await control::NodeRecord::open(world_.core, disk_, "/node/record", "/node/log");
    if (!record_->bound()) static_cast<void>(co_await record_->bind("reef", 1, "one"));
    SKERRY_ASSERT(disk_.make_folders("/node/log").has_value());
    log_ = *co_await disk::Log::open(world_.core, disk_, "/node/log", {.segment_bytes = 256 << 10, .spare_segments_max = 0});
    engine_ = *co_await store::MemoryEngine::open(world_.core, disk_, "/node/engine");
    group_ = std::make_unique<replica::ShardGroup>(world_.core, *log_, *engine_, replica::ShardGroupOptions{});
    leases_.emplace(replica::Incarnation(record_->value().incarnation()), world_.core.now());
    links_ = std::make_unique<replica::NodeLinks>(world_.core, network_, *group_, *leases_);
    agent_ = std::make_unique<control::NodeAgent>(control::NodeAgent::Parts{.core = world_.core,
                                                                            .log = *log_,
                                                                            .group = *group_,
                                                                            .leases = *leases_,
                                                                            .links = *links_,
                                                                            .record = *record_,
                                                                            .listener = *this,
                                                                            .logger = logs_.logger("node"),
                                                                            .pool = "pool",
                                                                            .version = "fuzzed",
                                                                            .kept_aside = {},
                                                                            .shard_options = {}});
    agent_->register_in(methods);
    links_->register_in(methods);
    co_await agent_->start();
  }
  Task<> stop() {
    for (const auto& call : open_) {
      if (!call->ended()) call->cancel();
    }
    while (!std::ranges::all_of(open_, [](const auto& call) { return call->ended(); })) co_await world_.core.sleep_for(10ms);
    co_await agent_->stop();
    co_await links_->stop();
    static_cast<void>(co_await group_->stop());
    static_cast<void>(co_await log_->stop());
  }

  void on_assignments(const control::v1::Assignments&) override {}
  void on_opened(const std::string&, replica::Shard&) override {}
  void on_closing(ShardId) override {}
  control::v1::Usage usage() override { return {}; }
  void on_given_up() override {}

  FuzzWorld& world_;
  disk::Disk& disk_;
  net::testing::MemoryFabric fabric_;
  net::testing::MemoryNetwork network_{world_.core, fabric_, "node"};
  LogRegistry logs_{world_.clock, {.levels = {.others = LogLevel::off, .modules = {}}, .background = false}};
  std::unique_ptr<control::NodeRecord> record_;
  std::unique_ptr<disk::Log> log_;
  std::unique_ptr<store::MemoryEngine> engine_;
  std::unique_ptr<replica::ShardGroup> group_;
  std::optional<replica::NodeLeases> leases_;
  std::unique_ptr<replica::NodeLinks> links_;
  std::unique_ptr<control::NodeAgent> agent_;
  std::vector<std::unique_ptr<serve::testing::FakeCall>> open_;
};

}   // namespace
}   // namespace skerry

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  ByteReader input(BytesView(reinterpret_cast<const char*>(data), size));
  FuzzWorld world;
  disk::SimulatedDiskState platters;
  disk::SimulatedDisk disk(world.core, platters);
  SKERRY_ASSERT(disk.make_folders("/node").has_value());
  {
    Node node(world, disk);
    for (std::size_t calls = 0; calls < calls_max && input.ok() && !input.done(); ++calls) {
      node.ask(take_call(node.methods, input));
    }
  }
  const Node again(world, disk);
  return 0;
}
