// SPDX-License-Identifier: Apache-2.0
// The coordinators' agreement over the machine's own disk and connections; everything else about it is tried in
// metadata_raft_test.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "control/metadata_raft.hpp"
#include "disk/machine_disk.hpp"
#include "net/tcp.hpp"
#include "net/testing/world.hpp"
#include "rpc/server.hpp"

namespace skerry::control {
namespace {

struct MetadataRaftOnLoopback : testing::Test {
  struct Coordinator {
    std::unique_ptr<MetadataRaft> metadata;
    rpc::Methods methods = {};
    std::unique_ptr<rpc::Server> server = nullptr;
    std::optional<Result<Metadata::Office>> office = std::nullopt;
  };

  net::testing::RealWorld world;
  LogRegistry logs{world.clock, {.levels = {.others = LogLevel::off, .modules = {}}, .background = false}};
  std::filesystem::path folder;
  std::unique_ptr<disk::MachineDisk> disk = std::make_unique<disk::MachineDisk>(world.core);
  net::TcpNetwork network{world.core};
  std::vector<net::Address> addresses;
  std::vector<std::unique_ptr<Coordinator>> coordinators;

  MetadataRaftOnLoopback() {
    world.core.random() = Random(Random::system_seed());
    std::string name = (std::filesystem::temp_directory_path() / "skerry-raft-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~MetadataRaftOnLoopback() override { std::filesystem::remove_all(folder); }

  // A free port below those that the system gives to clients.
  net::Address free_address() {
    for (int attempt = 0; attempt < 200; ++attempt) {
      const net::Address address{"127.0.0.1", static_cast<std::uint16_t>(20'000 + world.core.random().below(12'000))};
      if (network.listen(address) && std::ranges::find(addresses, address) == addresses.end()) return address;
    }
    ADD_FAILURE() << "no free port found";
    return {};
  }
  std::string list() const {
    std::string out;
    for (const net::Address& each : addresses) out += (out.empty() ? "" : ",") + each.text();
    return out;
  }
  void start(std::size_t number) {
    Coordinator& one = *coordinators[number];
    const std::string self = addresses[number].text();
    auto members = RaftMembers::parse(list(), self);
    ASSERT_TRUE(members) << members.error().message();
    MetadataRaft::Options options{
        .folder = (folder / std::to_string(number)).string(), .cluster = "one", .members = *members, .address = self};
    options.log_segment_bytes = 10 << 20;
    one.metadata = std::make_unique<MetadataRaft>(world.core, *disk, network, std::move(options), logs.logger("metadata"));
    one.methods = {};
    one.metadata->register_in(one.methods);
    one.server = rpc::Server::make(world.core, network, one.methods, {});
    const auto started = one.server->start(addresses[number]);
    ASSERT_TRUE(started) << started.error().message();
    one.office.reset();
    world.tasks.spawn(take_office(one));
  }
  void stop(std::size_t number) {
    bool stopped = false;
    world.tasks.spawn(stop(*coordinators[number], stopped));
    world.run_until([&] { return stopped; });
    coordinators[number]->server.reset();
    coordinators[number]->metadata.reset();
    coordinators[number]->office.reset();
  }
  std::size_t holder() {
    const auto in_office = [](const auto& each) { return each->office && each->office->has_value(); };
    world.run_until([&] { return std::ranges::any_of(coordinators, in_office); });
    return static_cast<std::size_t>(std::ranges::find_if(coordinators, in_office) - coordinators.begin());
  }
  Result<> commit(std::size_t number, std::string key, std::string value) {
    std::optional<Result<>> answer;
    world.tasks.spawn(keep(coordinators[number]->metadata->commit({{std::move(key), std::move(value)}}), answer));
    world.run_until([&] { return answer.has_value(); });
    return *std::move(answer);
  }

  static Task<> take_office(Coordinator& one) { one.office.emplace(co_await one.metadata->take_office()); }
  static Task<> stop(Coordinator& one, bool& stopped) {
    co_await one.server->stop(TimePoint());
    co_await one.metadata->stop();
    stopped = true;
  }
  static Task<> keep(Task<Result<>> task, std::optional<Result<>>& into) { into.emplace(co_await std::move(task)); }
};

TEST_F(MetadataRaftOnLoopback, three_agree_and_hand_the_office_on) {
  for (int number = 0; number < 3; ++number) {
    addresses.push_back(free_address());
    coordinators.push_back(std::make_unique<Coordinator>());
  }
  for (std::size_t number = 0; number < 3; ++number) start(number);
  const std::size_t first = holder();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(commit(first, "key" + std::to_string(i), "value"));
  const std::int64_t epoch = (*coordinators[first]->office)->epoch;
  stop(first);
  const std::size_t second = holder();
  EXPECT_NE(second, first);
  EXPECT_EQ((*coordinators[second]->office)->items.size(), 20U);
  EXPECT_GT((*coordinators[second]->office)->epoch, epoch);
  ASSERT_TRUE(commit(second, "key0", "other"));
  start(first);   // finds its folder, and follows
  world.run_until([&] { return coordinators[first]->metadata->holder() == addresses[second].text(); });
  for (std::size_t number = 0; number < 3; ++number) stop(number);
}

}   // namespace
}   // namespace skerry::control
