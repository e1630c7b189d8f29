// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/testing/memory_network.hpp"
#include "rpc/channel.hpp"
#include "rpc/server.hpp"
#include "serve/testing/serve_world.hpp"

namespace skerry::serve {
namespace {

using testing::ServeWorld;

// The service behind a real server, spoken to by a real channel over a network in memory.
struct OxiaWireTest : ::testing::TestWithParam<ShardId> {
  ServeWorld world;
  net::testing::MemoryFabric fabric;
  net::testing::MemoryNetwork network{world.here(), fabric, "store"};
  std::unique_ptr<rpc::Server> server = rpc::Server::make(world.here(), network, world.methods, {});
  std::unique_ptr<rpc::Channel> channel;
  const ShardId shard = GetParam();

  void SetUp() override {
    const auto address = server->start({"store", 6648});
    ASSERT_TRUE(address) << address.error().message();
    channel = rpc::Channel::make(world.here(), network, *address, {});
  }
  void TearDown() override {
    run(channel->stop());
    run(server->stop(world.here().now()));
  }

  static Task<bool> done(Task<> task) {
    co_await std::move(task);
    co_return true;
  }
  void run(Task<> task) { world.run(world.here(), done(std::move(task))); }
  rpc::CallOptions options(Duration time = 10s) { return {.deadline = world.here().now() + time, .metadata = {}}; }
  static std::string method(std::string_view name) { return fmt::format("/io.oxia.proto.v1.OxiaClient/{}", name); }
  template <class Reply, class Request>
  Reply ask(std::string_view name, const Request& request, rpc::Status* status = nullptr) {
    Reply reply;
    rpc::Status ended = world.run(world.here(), channel->unary(method(name), request, reply, options()));
    if (status == nullptr) EXPECT_TRUE(ended.ok()) << ended.message;
    if (status != nullptr) *status = std::move(ended);
    return reply;
  }
  proto::WriteRequest put_request(std::string key, std::string value) const {
    proto::WriteRequest request;
    request.set_shard(shard.value());
    auto& put = *request.add_puts();
    put.set_key(std::move(key));
    put.set_value(std::move(value));
    return request;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, OxiaWireTest, ::testing::Values(testing::shard_here, testing::shard_there),
                         [](const auto& each) { return each.param == testing::shard_here ? "same_core" : "other_core"; });

TEST_P(OxiaWireTest, what_is_written_is_read_back_over_the_wire) {
  const auto written = ask<proto::WriteResponse>("Write", put_request("a", "one"));
  EXPECT_EQ(written.puts(0).version().version_id(), 0);
  proto::ReadRequest read;
  read.set_shard(shard.value());
  read.add_gets()->set_key("a");
  read.mutable_gets(0)->set_include_value(true);
  EXPECT_EQ(ask<proto::ReadResponse>("Read", read).gets(0).value(), "one");
}

TEST_P(OxiaWireTest, errors_travel_with_their_reason) {
  proto::SessionHeartbeat request;
  request.set_shard(shard.value());
  request.set_session_id(12);
  rpc::Status status;
  ask<proto::KeepAliveResponse>("KeepAlive", request, &status);
  EXPECT_EQ(status.code, rpc::Code::not_found);
  ASSERT_TRUE(status.info());
  EXPECT_EQ(status.info()->reason, "SESSION_NOT_FOUND");
}

Task<> write_many(rpc::Channel& channel, rpc::CallOptions options, std::string method, proto::WriteRequest request,
                  std::vector<std::int64_t>& versions) {
  auto call = co_await channel.open(std::move(method), std::move(options));
  EXPECT_TRUE(call) << call.error().message();
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(co_await (*call)->write(request));
  EXPECT_TRUE(co_await (*call)->finish_writing());
  proto::WriteResponse response;
  while (*co_await (*call)->read(response)) versions.push_back(response.puts(0).version().version_id());
  EXPECT_TRUE((co_await (*call)->finish()).ok());
}

TEST_P(OxiaWireTest, a_write_stream_is_answered_in_order) {
  auto opened = options();
  opened.metadata.add("namespace", "default");
  opened.metadata.add("shard-id", fmt::to_string(shard.value()));
  std::vector<std::int64_t> versions;
  run(write_many(*channel, std::move(opened), method("WriteStream"), put_request("a", "v"), versions));
  ASSERT_EQ(versions.size(), 500);
  for (std::size_t i = 0; i < versions.size(); ++i) EXPECT_EQ(versions[i], static_cast<std::int64_t>(i));
}

Task<> follow(rpc::Channel& channel, rpc::CallOptions options, std::string method, proto::NotificationsRequest request,
              std::vector<proto::NotificationBatch>& batches, rpc::Status& ended) {
  auto call = co_await channel.open(std::move(method), std::move(options));
  EXPECT_TRUE(call) << call.error().message();
  EXPECT_TRUE(co_await (*call)->write(request));
  EXPECT_TRUE(co_await (*call)->finish_writing());
  proto::NotificationBatch batch;
  for (auto more = co_await (*call)->read(batch); more && *more; more = co_await (*call)->read(batch)) batches.push_back(batch);
  ended = co_await (*call)->finish();
}

TEST_P(OxiaWireTest, a_follower_hears_changes_until_its_deadline_and_is_then_forgotten) {
  proto::NotificationsRequest request;
  request.set_shard(shard.value());
  std::vector<proto::NotificationBatch> batches;
  rpc::Status ended;
  TaskScope scope(world.here());
  scope.spawn(follow(*channel, options(2s), method("GetNotifications"), request, batches, ended));
  world.run_until([&] { return batches.size() == 1; });
  EXPECT_EQ(batches[0].notifications_size(), 0);
  ask<proto::WriteResponse>("Write", put_request("a", "one"));
  world.run_until([&] { return batches.size() == 2; });
  EXPECT_EQ(batches[1].notifications(0).key(), "a");
  EXPECT_EQ(world.shard(shard).figures().followers, 1);
  world.run_until([&] { return scope.size() == 0; });
  EXPECT_EQ(ended.code, rpc::Code::deadline_exceeded);
  world.run_until([&] { return world.shard(shard).figures().followers == 0; });
}

}  // namespace
}  // namespace skerry::serve
