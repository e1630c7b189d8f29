// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"

namespace skerry::net {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Task<HttpResponse> say_hello(HttpRequest request) {
  HttpResponse response;
  response.body = "hello " + request.query;
  co_return response;
}
Task<HttpResponse> echo(HttpRequest request) {
  HttpResponse response;
  response.status = 201;
  response.content_type = "application/octet-stream";
  response.body = request.path + " " + std::string(request.header("x-tag")) + " " + request.body;
  co_return response;
}
Task<HttpResponse> never(Core* core) {
  co_await core->sleep_until(no_deadline);
  co_return HttpResponse();
}

Task<> count_up(Core* core, bool* cancelled, HttpRequest request, HttpReply& reply) {
  struct Note {
    ~Note() { *ended = !done; }
    bool* ended;
    bool done = false;
  } note{cancelled};
  if (request.body == "nothing") {
    note.done = true;
    co_return;
  }
  if (request.body == "whole") {
    static_cast<void>(co_await reply.send({.status = 202, .body = "whole", .headers = {}}));
    note.done = true;
    co_return;
  }
  EXPECT_TRUE(co_await reply.begin({.content_type = "text/x-lines", .headers = {}}));
  for (const std::string piece : {"one\n", "", "two\n"}) EXPECT_TRUE(co_await reply.write(piece));
  if (request.body == "forever") co_await core->sleep_until(no_deadline);
  note.done = true;
}

struct Client {
  std::unique_ptr<Stream> stream;
  std::string received;
  bool ended = false;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerOptions options = {}) {
    server_.emplace(world_.core, network_, options);
    server_->route("GET", "/hello", &say_hello);
    server_->route("POST", "/things/", &echo);
    server_->route("PUT", "/things/", &echo);
    server_->route_long("POST", "/count", [this](HttpRequest request, HttpReply& reply) {
      return count_up(&world_.core, &cancelled_, std::move(request), reply);
    });
    server_->route("GET", "/never", [core = &world_.core](HttpRequest) { return never(core); });
    const auto address = server_->start({"host", 0});
    ASSERT_TRUE(address);
    address_ = *address;
  }
  void TearDown() override {
    world_.tasks.spawn(server_->stop());
    for (const auto& client : clients_) {
      if (client->stream) client->stream->close();
    }
    world_.settle();
    EXPECT_EQ(server_->connections(), 0U);
  }

  Client& connect() {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    world_.tasks.spawn(receive(*this, client));
    world_.settle();
    return client;
  }
  void send(Client& client, std::string text) {
    world_.tasks.spawn(write(client, std::move(text)));
    world_.settle();
  }
  // One request on a connection of its own.
  std::string ask(std::string request) {
    Client& client = connect();
    send(client, std::move(request));
    return client.received;
  }

  static Task<> receive(HttpServerTest& test, Client& client) {
    auto stream = co_await test.network_.connect(test.address_, no_deadline);
    EXPECT_TRUE(stream);
    client.stream = *std::move(stream);
    char chunk[1000];
    for (;;) {
      const auto count = co_await client.stream->read_some(chunk);
      if (!count || *count == 0) break;
      client.received.append(chunk, *count);
    }
    client.ended = true;
  }
  static Task<> write(Client& client, std::string text) {
    const std::array<BytesView, 1> pieces = {text};
    static_cast<void>(co_await client.stream->write(pieces));
  }

  testing::ManualWorld world_;
  testing::MemoryFabric fabric_;
  testing::MemoryNetwork network_{world_.core, fabric_, "host"};
  std::optional<HttpServer> server_;
  bool cancelled_ = false;   // a long handler
  Address address_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(HttpServerTest, answers_with_status_type_length_and_body) {
  start();
  EXPECT_EQ(ask("GET /hello?you HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n\r\nhello you");
}

TEST_F(HttpServerTest, hands_over_path_headers_and_body) {
  start();
  EXPECT_THAT(ask("POST /things/a%20b HTTP/1.1\r\nX-Tag: t\r\nContent-Length: 4\r\n\r\nbody"),
              HasSubstr("\r\n\r\n/things/a b t body"));
  EXPECT_THAT(ask("PUT /things/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
              HasSubstr("/things/x  abcde"));
}

TEST_F(HttpServerTest, keeps_the_connection_for_further_and_pipelined_requests) {
  start();
  Client& client = connect();
  send(client, "GET /hello?1 HTTP/1.1\r\n\r\nGET /hello?2 HTTP/1.1\r\n\r\nGET /he");
  send(client, "llo?3 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.received, HasSubstr("hello 1"));
  EXPECT_THAT(client.received, HasSubstr("hello 2"));
  EXPECT_THAT(client.received, HasSubstr("hello 3"));
  EXPECT_TRUE(client.ended);
}

TEST_F(HttpServerTest, a_long_answer_comes_in_chunks_and_the_connection_goes_on) {
  start();
  Client& client = connect();
  send(client, "POST /count HTTP/1.1\r\n\r\nGET /hello?1 HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.received, HasSubstr("Content-Type: text/x-lines\r\nTransfer-Encoding: chunked\r\n\r\n"
                                         "4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\nHTTP/1.1 200 OK"));
  EXPECT_THAT(client.received, ::testing::EndsWith("hello 1"));
  EXPECT_FALSE(client.ended);
}

TEST_F(HttpServerTest, a_long_answer_to_http_1_0_ends_with_the_connection) {
  start();
  Client& client = connect();
  send(client, "POST /count HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.received, ::testing::EndsWith("Connection: close\r\n\r\none\ntwo\n"));
  EXPECT_TRUE(client.ended);
}

TEST_F(HttpServerTest, a_long_handler_may_answer_whole_or_by_mistake_not_at_all) {
  start();
  EXPECT_THAT(ask("POST /count HTTP/1.1\r\nContent-Length: 5\r\n\r\nwhole"),
              ::testing::AllOf(StartsWith("HTTP/1.1 202 "), ::testing::EndsWith("Content-Length: 5\r\n\r\nwhole")));
  EXPECT_THAT(ask("POST /count HTTP/1.1\r\nContent-Length: 7\r\n\r\nnothing"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, a_client_that_hangs_up_cancels_its_long_handler) {
  start();
  Client& client = connect();
  send(client, "POST /count HTTP/1.1\r\nContent-Length: 7\r\n\r\nforever");
  EXPECT_THAT(client.received, ::testing::EndsWith("two\n\r\n"));
  EXPECT_FALSE(cancelled_);
  client.stream->close();
  world_.settle();
  EXPECT_TRUE(cancelled_);
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpServerTest, a_head_request_gets_the_header_alone) {
  start();
  const auto answer = ask("HEAD /hello HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 6"));
  EXPECT_THAT(answer, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, unknown_paths_and_methods_are_told_what_there_is) {
  start();
  EXPECT_THAT(ask("GET /helo HTTP/1.1\r\n\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("/hello, /never, /things/")));
  EXPECT_THAT(ask("DELETE /things/x HTTP/1.1\r\n\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST, PUT")));
}

TEST_F(HttpServerTest, what_is_no_request_is_refused_and_the_connection_closed) {
  start();
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET hello HTTP/1.1\r\n\r\n", "GET /a%zz HTTP/1.1\r\n\r\n", "GET /a%00 HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nContent-Length: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"}) {
    EXPECT_THAT(ask(request), StartsWith("HTTP/1.1 400 ")) << request;
  }
}

TEST_F(HttpServerTest, headers_and_bodies_have_limits) {
  start({.header_bytes_max = 1000, .body_bytes_max = 10});
  EXPECT_THAT(ask("GET /hello HTTP/1.1\r\nX: " + std::string(2000, 'x')), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(ask("POST /things/ HTTP/1.1\r\nContent-Length: 11\r\n\r\n12345678901"), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(ask("POST /things/ HTTP/1.1\r\nContent-Length: 10\r\n\r\n1234567890"), StartsWith("HTTP/1.1 201 "));
  EXPECT_THAT(ask("POST /things/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, a_client_that_asks_before_sending_its_body_is_told_to_go_on) {
  start();
  Client& client = connect();
  send(client, "PUT /things/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.received, "HTTP/1.1 100 Continue\r\n\r\n");
  send(client, "ok");
  EXPECT_THAT(client.received, HasSubstr("/things/x  ok"));
}

TEST_F(HttpServerTest, idle_and_slow_clients_are_left) {
  start({.idle_timeout = 60s, .request_timeout = 10s});
  Client& idle = connect();
  Client& slow = connect();
  send(slow, "GET /hel");
  world_.advance(11s);
  EXPECT_THAT(slow.received, StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(slow.ended);
  EXPECT_FALSE(idle.ended);
  world_.advance(50s);
  EXPECT_TRUE(idle.ended);
  EXPECT_EQ(idle.received, "");
}

TEST_F(HttpServerTest, a_handler_that_takes_too_long_is_cancelled) {
  start({.handler_timeout = 5s});
  Client& client = connect();
  send(client, "GET /never HTTP/1.1\r\n\r\n");
  world_.advance(6s);
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 503 "));
}

TEST_F(HttpServerTest, more_connections_than_allowed_wait) {
  start({.connections_max = 2});
  Client& first = connect();
  Client& second = connect();
  Client& third = connect();
  EXPECT_EQ(server_->connections(), 2U);
  send(third, "GET /hello HTTP/1.1\r\n\r\n");
  EXPECT_EQ(third.received, "");
  send(first, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(first.ended);
  EXPECT_THAT(third.received, StartsWith("HTTP/1.1 200 "));
  EXPECT_FALSE(second.ended);
}

TEST_F(HttpServerTest, stop_cancels_running_handlers_and_closes_all) {
  start();
  Client& client = connect();
  send(client, "GET /never HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server_->connections(), 1U);
  world_.tasks.spawn(server_->stop());
  world_.settle();
  EXPECT_TRUE(client.ended);
}

}  // namespace
}  // namespace skerry::net
