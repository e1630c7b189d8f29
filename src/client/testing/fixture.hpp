// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "client/client.hpp"
#include "client/testing/fake_store.hpp"
#include "net/testing/world.hpp"

namespace skerry::client::testing {

// A client and a fake store on one core, in time that jumps from one event to the next.
struct Fixture {
  net::testing::ManualWorld world;
  net::testing::MemoryFabric fabric;
  FakeStore store{world.core, fabric};
  net::testing::MemoryNetwork network{world.core, fabric, "client"};
  ClientOptions options{.addresses = {"s1:6648"}};
  std::unique_ptr<Client> client;
  TaskScope beside{world.core};
  std::vector<ShardId> sessions_lost;

  ~Fixture() { world.core.drop_frames(); }

  Core& core() { return world.core; }
  // Runs the body with a started client, then stops client and servers.
  using Body = Task<> (*)(Fixture&);
  void run(Body body) {
    options.on_session_lost = [this](ShardId shard) { sessions_lost.push_back(shard); };
    auto made = Client::make(world.core, network, options);
    ASSERT_TRUE(made) << made.error().message();
    client = std::move(*made);
    client->start();
    world.run(run_and_stop(*this, body));
  }
  static Task<> run_and_stop(Fixture& self, Body body) {
    co_await body(self);
    co_await self.beside.cancel_and_join();
    co_await self.client->stop();
    co_await self.store.stop();
  }

  // Puts in the background; how they ended stands in `puts`, in the order in which they ended.
  struct Ended {
    std::string key;
    Result<PutResult> result;
  };
  std::vector<Ended> puts;
  void start_put(std::string key, std::string value, PutOptions put_options = {}) {
    beside.spawn(put_into(*this, std::move(key), std::move(value), std::move(put_options)));
  }
  static Task<> put_into(Fixture& self, std::string key, std::string value, PutOptions put_options) {
    auto result = co_await self.client->put(key, std::move(value), std::move(put_options));
    self.puts.push_back({std::move(key), std::move(result)});
  }
};

inline Task<std::vector<std::string>> collect(std::unique_ptr<Scan> scan) {
  std::vector<std::string> keys;
  for (;;) {
    auto next = co_await scan->next();
    if (!next) keys.push_back("error: " + next.error().message());
    if (!next || !*next) co_return keys;
    keys.push_back(std::move((*next)->key));
  }
}

}  // namespace skerry::client::testing

// Leaves a coroutine when the condition is false.
#define CO_ASSERT(...) \
  if (!(__VA_ARGS__)) { \
    ADD_FAILURE() << #__VA_ARGS__; \
    co_return; \
  } \
  static_assert(true)
