// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "serve/testing/serve_world.hpp"

namespace skerry::serve::testing {

using rpc::Code;

inline void expect_reason(const rpc::Status& status, Code code, std::string_view reason, std::string_view text) {
  EXPECT_EQ(status.code, code) << status.message;
  const auto info = status.info();
  ASSERT_TRUE(info) << status.message;
  EXPECT_EQ(info->domain, "oxia.io");
  EXPECT_EQ(info->reason, reason);
  EXPECT_TRUE(status.message.starts_with(text)) << status.message;
}

inline proto::PutRequest& add_put(proto::WriteRequest& request, std::string key, std::string value) {
  auto& put = *request.add_puts();
  put.set_key(std::move(key));
  put.set_value(std::move(value));
  return put;
}

// The service and a shard: tests run against a shard on the connection's own core, and against one on another core.
struct OxiaServiceTest : ::testing::TestWithParam<ShardId> {
  ServeWorld world;
  const ShardId shard = GetParam();

  static constexpr ShardId parent{-1};   // older than both
  // From now on both are what has become of another shard.
  void retire_parent() {
    const auto now = world.directory().assignments();
    auto before = std::make_shared<Assignments>();
    before->namespaces["default"] = even_ranges(parent, 1);
    world.assign(before);
    world.assign(now);
  }

  proto::WriteRequest write_request() const {
    proto::WriteRequest request;
    request.set_shard(shard.value());
    return request;
  }
  proto::WriteResponse write(const proto::WriteRequest& request) {
    auto* call = world.finish("Write", request);
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    return call->reply<proto::WriteResponse>(0);
  }
  proto::PutResponse put(std::string key, std::string value) {
    auto request = write_request();
    add_put(request, std::move(key), std::move(value));
    return write(request).puts(0);
  }
  proto::GetResponse get(std::string key, proto::KeyComparisonType comparison = proto::EQUAL) {
    proto::ReadRequest request;
    request.set_shard(shard.value());
    auto& get = *request.add_gets();
    get.set_key(std::move(key));
    get.set_include_value(true);
    get.set_comparison_type(comparison);
    auto* call = world.finish("Read", request);
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    return call->reply<proto::ReadResponse>(0).gets(0);
  }
  template <class Request>
  Request range(std::string start, std::string end) const {
    Request request;
    request.set_shard(shard.value());
    request.set_start_inclusive(std::move(start));
    request.set_end_exclusive(std::move(end));
    return request;
  }
  std::vector<std::string> list(std::string start, std::string end) {
    auto* call = world.finish("List", range<proto::ListRequest>(std::move(start), std::move(end)));
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < call->replies.size(); ++i) {
      const auto reply = call->reply<proto::ListResponse>(i);
      keys.insert(keys.end(), reply.keys().begin(), reply.keys().end());
    }
    return keys;
  }
  std::int64_t create_session(std::uint32_t timeout_ms = 5000) {
    proto::CreateSessionRequest request;
    request.set_shard(shard.value());
    request.set_session_timeout_ms(timeout_ms);
    request.set_client_identity("me");
    auto* call = world.finish("CreateSession", request);
    EXPECT_TRUE(call->status->ok()) << call->status->message;
    return call->reply<proto::CreateSessionResponse>(0).session_id();
  }
};

inline std::string shard_name(const ::testing::TestParamInfo<ShardId>& each) {
  return each.param == shard_here ? "same_core" : "other_core";
}

}  // namespace skerry::serve::testing
