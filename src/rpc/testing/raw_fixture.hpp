// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <gtest/gtest.h>

#include "rpc/testing/raw_client.hpp"
#include "rpc/testing/world.hpp"

namespace skerry::test {

// A server and a client that sends it whatever bytes the test likes.
struct Raw : ::testing::Test {
  static constexpr char unary[] = "/skerry.test.Echo/Unary";
  static inline const std::string empty_message = RawClient::message("");

  RpcWorld world;
  std::unique_ptr<RawClient> client;

  void connect(rpc::ServerOptions options = {}) {
    world.serve(options);
    reconnect();
    send(RawClient::preface());
  }
  void reconnect() {
    world.tasks.spawn(open(world, client));
    world.settle();
    ASSERT_NE(client, nullptr);
    world.tasks.spawn(client->read_all());
  }
  static Task<> open(RpcWorld& world, std::unique_ptr<RawClient>& into) {
    auto stream = co_await world.client_side.connect(world.address, no_deadline);
    EXPECT_TRUE(stream);
    if (stream) into = std::make_unique<RawClient>(std::move(*stream));
  }
  void send(std::string_view bytes) {
    client->send(bytes);
    world.settle();
  }
  // Sends a request and returns the last HEADERS of its answer: the trailers.
  Frame answer(const Fields& fields, std::string_view body, int stream = 1) {
    const bool empty = body.empty();
    const int end = NGHTTP2_FLAG_END_STREAM;
    send(client->headers(stream, fields, NGHTTP2_FLAG_END_HEADERS | (empty ? end : 0)));
    if (!empty) send(RawClient::frame(NGHTTP2_DATA, end, stream, body));
    const Frame* found = client->last_headers(stream);
    EXPECT_NE(found, nullptr);
    return found != nullptr ? *found : Frame();
  }
  Frame answer_with(std::pair<std::string, std::string> changed, std::string_view body) {
    Fields fields = RawClient::request_fields(unary);
    std::erase_if(fields, [&](const auto& field) { return field.first == changed.first; });
    if (!changed.second.empty()) fields.push_back(std::move(changed));
    return answer(fields, body);
  }
  std::string goaway_text() const {
    const Frame* frame = client->find(NGHTTP2_GOAWAY);
    return frame != nullptr && frame->payload.size() > 8 ? frame->payload.substr(8) : "";
  }
  ~Raw() override {
    if (client) client->stream().close();
    world.settle();
  }
};

}  // namespace skerry::test
