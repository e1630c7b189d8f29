// SPDX-License-Identifier: Apache-2.0
#include "rpc/json_api.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "rpc/json_text.hpp"
#include "rpc/testing/world.hpp"

namespace skerry::rpc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(SplitJson, finds_objects_in_an_array_or_one_after_the_other) {
  const auto split = [](std::string_view body) { return split_json(body, 10).value(); };
  EXPECT_THAT(split("  \n"), IsEmpty());
  EXPECT_THAT(split("[]"), IsEmpty());
  EXPECT_THAT(split(R"({"a":1})"), ElementsAre(R"({"a":1})"));
  EXPECT_THAT(split("{\"a\":{}}\n{\"b\":[{}]} "), ElementsAre(R"({"a":{}})", R"({"b":[{}]})"));
  EXPECT_THAT(split(R"( [ {"a":"}\"]"} , {} ] )"), ElementsAre(R"({"a":"}\"]"})", "{}"));
}

TEST(SplitJson, says_where_a_body_is_wrong) {
  for (const auto& [body, word] : {std::pair{"x", "byte 0"},
                                   {"{} x", "byte 3"},
                                   {"{\"a\":[}", "does not end"},
                                   {"[{}", "byte 3"},
                                   {"[{}] {}", "behind its array"},
                                   {"1", "byte 0"},
                                   {"{\"a", "does not end"},
                                   {"[,{}]", "byte 1"}}) {
    const auto split = split_json(body, 10);
    ASSERT_FALSE(split) << body;
    EXPECT_THAT(split.error().message(), HasSubstr(word)) << body;
  }
  EXPECT_TRUE(split_json("{}{}{}", 3));
  EXPECT_EQ(split_json("{}{}{}", 2).error().code, make_error_code(Errc::resource_exhausted));
}

TEST(ParseJson, takes_null_for_a_field_and_refuses_it_for_an_element) {
  google::protobuf::FileDescriptorProto file;   // any message with a list
  EXPECT_TRUE(parse_json(R"({"name":null,"dependency":null,"messageType":[{"name":null}]})", file));
  EXPECT_TRUE(parse_json(R"({"dependency":["a","[null"]})", file));
  EXPECT_EQ(file.dependency_size(), 2);
  const auto refused = parse_json(R"({"dependency":["a", null]})", file);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, make_error_code(Errc::invalid_argument));
  EXPECT_THAT(refused.error().message(), HasSubstr("byte 20 of a google.protobuf.FileDescriptorProto is null"));
}

class JsonApiTest : public ::testing::Test {
 protected:
  void start(JsonService service = {}) {
    service.methods = &world_.methods;
    api_.emplace(world_.core, options_);
    api_->add(service);
    api_->route_in(http_);
    ASSERT_TRUE(http_.start({"server", 8080}));
  }
  void TearDown() override {
    world_.run(api_->remove(world_.methods));
    world_.tasks.spawn(http_.stop());
    world_.settle();
  }

  struct Client {
    std::unique_ptr<net::Stream> stream;
    std::string received;
  };
  static Task<> talk(JsonApiTest& test, Client& client, std::string request) {
    auto stream = co_await test.world_.client_side.connect({"server", 8080}, no_deadline);
    EXPECT_TRUE(stream);
    client.stream = *std::move(stream);
    const std::array<BytesView, 1> pieces = {request};
    EXPECT_TRUE(co_await client.stream->write(pieces));
    char chunk[4000];
    for (;;) {
      const auto count = co_await client.stream->read_some(chunk);
      if (!count || *count == 0) break;
      client.received.append(chunk, *count);
    }
  }
  // What has come within `time`.
  std::string ask(const std::string& line, const std::string& body = {}, const std::string& headers = {}, Duration time = 0s) {
    Client& client = clients_.emplace_back();
    world_.tasks.spawn(talk(
        *this, client, line + " HTTP/1.1\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
    world_.settle();
    if (time > 0s) world_.advance(time);
    return client.received;
  }
  std::string call(const std::string& method, const std::string& body, const std::string& headers = {}, Duration time = 0s) {
    return ask("POST /api/skerry.test.Echo/" + method, body, headers, time);
  }

  JsonApiOptions options_;
  test::RpcWorld world_;
  net::HttpServer http_{world_.core, world_.server_side};
  std::optional<JsonApi> api_;
  std::list<Client> clients_;
};

TEST_F(JsonApiTest, a_method_with_one_answer_takes_and_gives_json) {
  start();
  const std::string answer = call("Unary", R"({"text":"höi","payload":"AAEC"})", "Shard-Id: 7\r\n");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), HasSubstr(R"("text":"höi")"),
                            HasSubstr(R"("payload":"AAEC")"), HasSubstr(R"("shard-id":"Nw==")"),
                            HasSubstr(R"("hasDeadline":true)"), HasSubstr(R"("index":0)")));
  EXPECT_THAT(answer, Not(HasSubstr("content-length\"")));
  EXPECT_THAT(ask("POST /api/skerry.test.alias.Echo/Unary"), StartsWith("HTTP/1.1 200 "));   // no body: all defaults
}

TEST_F(JsonApiTest, a_method_that_streams_gives_a_line_for_each_message) {
  start();
  EXPECT_THAT(call("ServerStream", R"({"text":"s","replies":2})"),
              AllOf(HasSubstr("application/x-ndjson\r\nTransfer-Encoding: chunked"), HasSubstr(R"("index":0)"),
                    HasSubstr(R"("index":1)"), EndsWith("\n\r\n0\r\n\r\n")));
  EXPECT_THAT(call("ServerStream", "{}"), EndsWith("chunked\r\n\r\n0\r\n\r\n"));
}

TEST_F(JsonApiTest, a_method_that_takes_many_takes_an_array_or_objects) {
  start();
  EXPECT_THAT(call("ClientStream", R"([{"text":"a"},{"text":"b"}])"), HasSubstr(R"("text":"ab")"));
  EXPECT_THAT(call("ClientStream", ""), HasSubstr(R"("index":0)"));
  EXPECT_THAT(call("Bidirectional", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n"),
              AllOf(HasSubstr(R"({"text":"a")"), HasSubstr(R"({"text":"b")"), EndsWith("0\r\n\r\n")));
}

TEST_F(JsonApiTest, errors_are_json_with_status_reason_and_remedy) {
  start();
  EXPECT_THAT(call("Unary", R"({"statusCode":5,"statusMessage":"no \"x\"","errorReason":"GONE"})"),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr(R"({"error":{"code":5,"status":"NOT_FOUND","message":"no \"x\"")"),
                    HasSubstr(R"("reason":"GONE")"), HasSubstr(R"("remedy":"check)")));
  for (const std::string body : {R"({"nonsense":1})", R"({"text":1e})", "[1]", "{}{}", "{", "x"}) {
    EXPECT_THAT(call("Unary", body), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("INVALID_ARGUMENT"))) << body;
  }
  EXPECT_THAT(call("Unary", R"({"nonsense":1})"), HasSubstr("nonsense"));
  EXPECT_THAT(call("Unary", "{}", "grpc-timeout: soon\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(call("Unray", "{}"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("did you mean skerry.test.Echo/Unary")));
}

TEST_F(JsonApiTest, a_stream_that_fails_says_so_in_its_last_line) {
  start();
  EXPECT_THAT(call("Bidirectional", R"({"text":"a"} {"nonsense":1})"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(R"({"error":{"code":3)"), EndsWith("\n\r\n0\r\n\r\n")));
}

TEST_F(JsonApiTest, deadlines_end_calls) {
  start();
  EXPECT_THAT(call("Unary", R"({"delayMs":60000})", "grpc-timeout: 200m\r\n", 250ms),
              AllOf(StartsWith("HTTP/1.1 504 "), HasSubstr("DEADLINE_EXCEEDED")));
  EXPECT_THAT(call("Unary", R"({"delayMs":60000})", "", 31s), StartsWith("HTTP/1.1 504 "));
  EXPECT_EQ(world_.echo.statistics().cancelled(), 2U);
}

TEST_F(JsonApiTest, a_client_that_hangs_up_cancels_its_call) {
  start();
  EXPECT_EQ(call("Unary", R"({"delayMs":20000})"), "");
  clients_.back().stream->close();
  world_.settle();
  EXPECT_EQ(world_.echo.statistics().cancelled(), 1U);
}

TEST_F(JsonApiTest, methods_that_are_taken_away_end_their_calls) {
  start();
  EXPECT_EQ(call("Unary", R"({"delayMs":20000})"), "");
  world_.run(api_->remove(world_.methods));
  world_.settle();
  EXPECT_THAT(clients_.back().received, AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("stopping")));
  EXPECT_EQ(world_.echo.statistics().cancelled(), 1U);
  EXPECT_THAT(call("Unary", "{}"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(JsonApiTest, streams_leave_connections_for_others) {
  options_.streams_max = 1;
  start();
  const std::string watch = "POST /api/grpc.health.v1.Health/Watch";
  EXPECT_THAT(ask(watch), HasSubstr(R"({"status":"SERVICE_UNKNOWN"})"));
  EXPECT_THAT(ask(watch), AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("streams_max")));
  EXPECT_THAT(call("Unary", "{}"), StartsWith("HTTP/1.1 200 "));
  clients_.front().stream->close();
  world_.settle();
  EXPECT_THAT(ask(watch), StartsWith("HTTP/1.1 200 "));
}

TEST_F(JsonApiTest, pages_of_browsers_are_refused) {
  start();
  EXPECT_THAT(call("Unary", "{}", "Origin: http://127.0.0.1:8080\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(world_.echo.statistics().started(), 0U);
}

struct OnlyBearers final : CallGuard {
  std::expected<CallerPtr, Status> admit(const ServerCall& call) override {
    seen = std::string(call.method()) + " at " + std::string(call.authority());
    if (call.header("authorization") == "Bearer ok") return CallerPtr();
    return std::unexpected(Status{Code::unauthenticated, "no token", {}});
  }
  std::optional<Status> revoke(const ServerCall&) override { return std::nullopt; }
  std::string seen;
};

TEST_F(JsonApiTest, asks_the_same_guard_as_grpc_before_anything_runs) {
  OnlyBearers guard;
  start({.authority = "store:6648", .guard = &guard});
  EXPECT_THAT(call("Unary", "{}"),
              AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("WWW-Authenticate: Bearer"), HasSubstr("no token")));
  EXPECT_EQ(guard.seen, "/skerry.test.Echo/Unary at store:6648");
  EXPECT_EQ(world_.echo.statistics().started(), 0U);
  EXPECT_THAT(call("Unary", "{}", "Authorization: Bearer ok\r\n"), StartsWith("HTTP/1.1 200 "));
}

struct Counted final : MethodStats, MethodObserver {
  MethodObserver* observer(std::string_view) override { return this; }
  void on_start() override { ++started; }
  void on_end(Code code, Duration) override { codes.push_back(code); }
  int started = 0;
  std::vector<Code> codes;
};

TEST_F(JsonApiTest, calls_are_counted_however_they_end) {
  Counted counted;
  start({.stats = &counted});
  call("Unary", "{}");
  call("Unary", "[");
  call("Unary", R"({"delayMs":20000})");
  clients_.back().stream->close();
  world_.settle();
  EXPECT_EQ(counted.started, 3);
  EXPECT_THAT(counted.codes, ElementsAre(Code::ok, Code::invalid_argument, Code::cancelled));
}

TEST_F(JsonApiTest, calls_are_parts_of_the_trace_in_traceparent) {
  Tracer tracer(1, {.ratio = 0});
  start({.tracer = &tracer});
  EXPECT_THAT(call("Unary", "{}"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(call("Unary", "{}", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"),
              StartsWith("HTTP/1.1 200 "));
  const auto spans = tracer.take(9);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].name, "skerry.test.Echo/Unary");
  EXPECT_EQ(hex_text(spans[0].parent), "00f067aa0ba902b7");
}

Task<Result<std::string>> show_query(net::HttpRequest request) {
  if (request.query.empty()) co_return fail(Errc::invalid_argument, "which?");
  co_return "{\"query\":\"" + request.query + "\"}";
}

TEST_F(JsonApiTest, tells_what_there_is_and_how_it_is_called) {
  start();
  api_->add_view("things", show_query);
  for (const std::string path : {"/api", "/api/"}) {
    EXPECT_THAT(ask("GET " + path),
                AllOf(HasSubstr(R"("service":"skerry.test.Echo")"), HasSubstr("/api/grpc.health.v1.Health/Watch"),
                      HasSubstr(R"("views":["/api/things"])")));
  }
  EXPECT_THAT(ask("GET /api/skerry.test.Echo"), AllOf(HasSubstr(R"("method":"SlowReader")"), Not(HasSubstr("Health"))));
  EXPECT_THAT(ask("GET /api/skerry.test.Echo/Unary"),
              AllOf(HasSubstr(R"("request":"skerry.test.EchoRequest","requestStream":false)"), HasSubstr(R"("delayMs":0)")));
  EXPECT_THAT(ask("GET /api/things?a=1"), HasSubstr(R"({"query":"a=1"})"));
  EXPECT_THAT(ask("GET /api/things"), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("which?")));
  EXPECT_THAT(ask("GET /api/nothing"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("GET /api lists")));
}

}  // namespace
}  // namespace skerry::rpc
