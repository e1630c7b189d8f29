// SPDX-License-Identifier: Apache-2.0
// Our server under gRPC's C++ client, and our client against gRPC's C++ server.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "net/tcp.hpp"
#include "rpc/channel.hpp"
#include "rpc/health.hpp"
#include "rpc/server.hpp"
#include "rpc/testing/echo_service.hpp"
#include "runtime/task_scope.hpp"
#include "testing/echo.grpc.pb.h"

namespace skerry {
namespace {

using test::Echo, test::EchoReply, test::EchoRequest, test::Statistics;

constexpr std::size_t large_bytes = 100 << 20;

std::uint16_t random_port() { return static_cast<std::uint16_t>(20'000 + Random::system_seed() % 12'000); }

// A core with its loop on a thread of its own, for as long as a test needs it.
class CoreThread {
 public:
  CoreThread() : thread_([this] { loop(); }) {}
  ~CoreThread() {
    core.post_from_outside([this] { stopping_ = true; });
    thread_.join();
  }
  // Runs the task on the core and returns when it has ended.
  void run(std::move_only_function<Task<>()> make) {
    std::promise<void> done;
    core.post_from_outside([&] { tasks_.spawn(wrap(make(), done)); });
    done.get_future().get();
  }

  SystemClock clock;
  Core core{CoreId{0}, clock, Random::system_seed()};
  net::TcpNetwork network{core};

 private:
  static Task<> wrap(Task<> task, std::promise<void>& done) {
    co_await std::move(task);
    done.set_value();
  }
  void loop() {
    while (!stopping_) {
      if (!core.run_turn()) core.wait(core.now() + 100ms);
    }
  }

  TaskScope tasks_{core};
  bool stopping_ = false;
  std::thread thread_;
};

// Our server with the echo and health services.
class OurServer {
 public:
  OurServer() {
    thread_.run([this] { return start(*this); });
  }
  ~OurServer() {
    thread_.run([this] { return stop(*this); });
  }
  std::shared_ptr<grpc::Channel> channel() const {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    return grpc::CreateCustomChannel(address_.text(), grpc::InsecureChannelCredentials(), arguments);
  }
  net::Address address() const { return address_; }

 private:
  static Task<> start(OurServer& self) {
    self.echo_.add_to(self.methods_);
    self.health_.add_to(self.methods_);
    self.health_.set("", rpc::Health::Serving::yes);
    self.server_ = rpc::Server::make(self.thread_.core, self.thread_.network, self.methods_, {});
    for (int attempt = 0; attempt < 100; ++attempt) {
      const auto bound = self.server_->start({"127.0.0.1", random_port()});
      if (bound) {
        self.address_ = *bound;
        co_return;
      }
    }
    ADD_FAILURE() << "no free port";
  }
  static Task<> stop(OurServer& self) {
    co_await self.server_->stop(self.thread_.core.now());
    self.server_.reset();
  }

  CoreThread thread_;
  test::EchoService echo_{thread_.core};
  rpc::Health health_{thread_.core};
  rpc::Methods methods_;
  std::unique_ptr<rpc::Server> server_;
  net::Address address_;
};

struct GrpcClient : ::testing::Test {
  OurServer server;
  std::unique_ptr<Echo::Stub> stub = Echo::NewStub(server.channel());

  static void within(grpc::ClientContext& context, Duration time) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::milliseconds>(time));
  }
  Statistics statistics() {
    grpc::ClientContext context;
    within(context, 10s);
    Statistics reply;
    EXPECT_TRUE(stub->GetStatistics(&context, {}, &reply).ok());
    return reply;
  }
  // Cancellation travels beside the test; it is looked for until it has arrived.
  bool eventually_cancelled(std::uint32_t count) {
    for (const auto give_up = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < give_up;) {
      if (statistics().cancelled() == count) return true;
    }
    return false;
  }
};

TEST_F(GrpcClient, unary_with_metadata_and_trailers) {
  grpc::ClientContext context;
  within(context, 10s);
  context.AddMetadata("shard-id", "7");
  context.AddMetadata("blob-bin", std::string("\0\xFF", 2));
  EchoRequest request;
  request.set_text("hello");
  EchoReply reply;
  const grpc::Status status = stub->Unary(&context, request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.text(), "hello");
  EXPECT_EQ(reply.metadata().at("shard-id"), "7");
  EXPECT_EQ(reply.metadata().at("blob-bin"), std::string("\0\xFF", 2));
  EXPECT_TRUE(reply.has_deadline());
  const auto& trailers = context.GetServerTrailingMetadata();
  ASSERT_NE(trailers.find("echo-trailer-bin"), trailers.end());
  const auto blob = trailers.find("echo-trailer-bin")->second;
  EXPECT_EQ(std::string(blob.data(), blob.size()), std::string("\0\xFF\x01", 3));
}

TEST_F(GrpcClient, large_messages_in_both_directions) {
  grpc::ClientContext context;
  within(context, 100s);
  EchoRequest request;
  request.set_payload(std::string(large_bytes, 'p'));
  EchoReply reply;
  const grpc::Status status = stub->Unary(&context, request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.payload().size(), large_bytes);
}

TEST_F(GrpcClient, error_status_with_details) {
  grpc::ClientContext context;
  within(context, 10s);
  EchoRequest request;
  request.set_status_code(grpc::FAILED_PRECONDITION);
  request.set_status_message("100% wrong: né\n");
  request.set_error_reason("INVALID_TERM");
  EchoReply reply;
  const grpc::Status status = stub->Unary(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "100% wrong: né\n");
  const rpc::Status read{rpc::Code::failed_precondition, "", status.error_details()};
  ASSERT_TRUE(read.info());
  EXPECT_EQ(read.info()->reason, "INVALID_TERM");
}

TEST_F(GrpcClient, deadline_cancels_the_handler) {
  grpc::ClientContext context;
  within(context, 100ms);
  EchoRequest request;
  request.set_delay_ms(60'000);
  EchoReply reply;
  EXPECT_EQ(stub->Unary(&context, request, &reply).error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(eventually_cancelled(1));
}

TEST_F(GrpcClient, cancellation_cancels_the_handler) {
  grpc::ClientContext context;
  within(context, 60s);
  auto stream = stub->Bidirectional(&context);
  EchoRequest request;
  request.set_text("x");
  ASSERT_TRUE(stream->Write(request));
  EchoReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
  EXPECT_TRUE(eventually_cancelled(1));
}

TEST_F(GrpcClient, streams_of_every_kind) {
  EchoReply reply;
  {
    grpc::ClientContext context;
    within(context, 60s);
    EchoRequest request;
    request.set_replies(10'000);
    auto stream = stub->ServerStream(&context, request);
    std::uint32_t count = 0;
    while (stream->Read(&reply)) ASSERT_EQ(reply.index(), count++);
    EXPECT_EQ(count, 10'000U);
    EXPECT_TRUE(stream->Finish().ok());
  }
  EchoRequest request;
  request.set_text("x");
  {
    grpc::ClientContext context;
    within(context, 60s);
    auto stream = stub->ClientStream(&context, &reply);
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(stream->Write(request));
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(reply.index(), 10'000U);
  }
  {
    grpc::ClientContext context;
    within(context, 60s);
    auto stream = stub->Bidirectional(&context);
    for (std::uint32_t i = 0; i < 1'000; ++i) {
      ASSERT_TRUE(stream->Write(request));
      ASSERT_TRUE(stream->Read(&reply));
      ASSERT_EQ(reply.index(), i);
    }
    stream->WritesDone();
    EXPECT_FALSE(stream->Read(&reply));
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(GrpcClient, a_client_that_does_not_read_stops_the_handler) {
  grpc::ClientContext context;
  within(context, 60s);
  EchoRequest request;
  request.set_replies(2'000);
  request.set_reply_bytes(64 << 10);
  auto stream = stub->ServerStream(&context, request);
  EchoReply reply;
  ASSERT_TRUE(stream->Read(&reply));
  // Written until the windows are full, and then no more: seen when the count stands still.
  std::uint32_t last = 0, same = 0;
  while (same < 200) {
    const std::uint32_t now = statistics().messages_written();
    same = now == last ? same + 1 : 0;
    last = now;
  }
  EXPECT_LT(last, 1'000U);
  std::uint32_t count = 1;
  while (stream->Read(&reply)) ++count;
  EXPECT_EQ(count, 2'000U);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcClient, unknown_methods_and_compression_are_unimplemented) {
  grpc::ClientContext context;
  within(context, 10s);
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  EchoRequest request;
  request.set_text(std::string(1000, 'x'));
  EchoReply reply;
  const grpc::Status status = stub->Unary(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED);
  EXPECT_NE(status.error_message().find("gzip"), std::string::npos) << status.error_message();
}

// Our client against gRPC's server.

class GrpcEcho final : public Echo::Service {
 public:
  std::atomic<int> cancelled{0};

  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request, EchoReply* reply) override {
    reply->set_text(request->text());
    reply->set_payload(request->payload());
    for (const auto& [name, value] : context->client_metadata()) {
      (*reply->mutable_metadata())[std::string(name.data(), name.size())] = std::string(value.data(), value.size());
    }
    if (request->delay_ms() > 0) {
      while (!context->IsCancelled()) std::this_thread::yield();
      ++cancelled;
    }
    if (request->status_code() == 0) return grpc::Status::OK;
    const auto details = rpc::Status::with_info(rpc::Code::aborted, "", {"test.skerry", request->error_reason(), {}}).details;
    return {static_cast<grpc::StatusCode>(request->status_code()), request->status_message(), details};
  }
  grpc::Status ServerStream(grpc::ServerContext*, const EchoRequest* request, grpc::ServerWriter<EchoReply>* writer) override {
    EchoReply reply;
    reply.set_payload(std::string(request->reply_bytes(), 'r'));
    for (std::uint32_t i = 0; i < request->replies(); ++i) {
      reply.set_index(i);
      if (!writer->Write(reply)) return {grpc::CANCELLED, ""};
    }
    return grpc::Status::OK;
  }
  grpc::Status ClientStream(grpc::ServerContext*, grpc::ServerReader<EchoRequest>* reader, EchoReply* reply) override {
    EchoRequest request;
    std::uint32_t count = 0;
    while (reader->Read(&request)) ++count;
    reply->set_index(count);
    return grpc::Status::OK;
  }
  grpc::Status Bidirectional(grpc::ServerContext* context, grpc::ServerReaderWriter<EchoReply, EchoRequest>* stream) override {
    EchoRequest request;
    EchoReply reply;
    while (stream->Read(&request)) {
      reply.set_text(request.text());
      stream->Write(reply);
    }
    if (context->IsCancelled()) ++cancelled;
    return grpc::Status::OK;
  }
};

struct GrpcServer : ::testing::Test {
  GrpcEcho service;
  std::unique_ptr<grpc::Server> server;
  CoreThread thread;
  std::unique_ptr<rpc::Channel> channel;

  GrpcServer() {
    std::string address;
    for (int attempt = 0; server == nullptr && attempt < 100; ++attempt) {
      address = "127.0.0.1:" + std::to_string(random_port());
      grpc::ServerBuilder builder;
      builder.AddListeningPort(address, grpc::InsecureServerCredentials());
      builder.SetMaxReceiveMessageSize(-1);
      builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
      builder.RegisterService(&service);
      server = builder.BuildAndStart();
    }
    thread.run([&] { return open(*this, *net::Address::parse(address)); });
  }
  ~GrpcServer() override {
    thread.run([this] { return close(*this); });
    server->Shutdown(std::chrono::system_clock::now());
  }
  static Task<> open(GrpcServer& self, net::Address address) {
    self.channel = rpc::Channel::make(self.thread.core, self.thread.network, std::move(address), {});
    co_return;
  }
  static Task<> close(GrpcServer& self) {
    co_await self.channel->stop();
    self.channel.reset();
  }
  rpc::CallOptions within(Duration time) const { return {.deadline = thread.clock.now() + time, .metadata = {}}; }
};

const std::string echo = "/skerry.test.Echo/";

Task<> call_unary(GrpcServer& self) {
  EchoRequest request;
  request.set_text("hello");
  EchoReply reply;
  rpc::CallOptions options = self.within(10s);
  options.metadata.add("shard-id", "7");
  options.metadata.add("blob-bin", std::string("\0\xFF", 2));
  const auto status = co_await self.channel->unary(echo + "Unary", request, reply, std::move(options));
  EXPECT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(reply.text(), "hello");
  EXPECT_EQ(reply.metadata().at("shard-id"), "7");
  EXPECT_EQ(reply.metadata().at("blob-bin"), std::string("\0\xFF", 2));
}
TEST_F(GrpcServer, unary_with_metadata) {
  thread.run([this] { return call_unary(*this); });
}

Task<> call_large(GrpcServer& self) {
  EchoRequest request;
  request.set_payload(std::string(large_bytes, 'p'));
  EchoReply reply;
  const auto status = co_await self.channel->unary(echo + "Unary", request, reply, self.within(100s));
  EXPECT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(reply.payload().size(), large_bytes);
}
TEST_F(GrpcServer, large_messages_in_both_directions) {
  thread.run([this] { return call_large(*this); });
}

Task<> call_failing(GrpcServer& self) {
  EchoRequest request;
  request.set_status_code(grpc::ABORTED);
  request.set_status_message("100% wrong: né\n");
  request.set_error_reason("NODE_IS_NOT_LEADER");
  EchoReply reply;
  const auto status = co_await self.channel->unary(echo + "Unary", request, reply, self.within(10s));
  EXPECT_EQ(status.code, rpc::Code::aborted);
  EXPECT_EQ(status.message, "100% wrong: né\n");
  EXPECT_TRUE(status.info() && status.info()->reason == "NODE_IS_NOT_LEADER");
  const auto unknown = co_await self.channel->unary("/no.Such/Method", request, reply, self.within(10s));
  EXPECT_EQ(unknown.code, rpc::Code::unimplemented);
}
TEST_F(GrpcServer, error_status_with_details) {
  thread.run([this] { return call_failing(*this); });
}

Task<> call_too_slow(GrpcServer& self) {
  EchoRequest request;
  request.set_delay_ms(1);   // until it is cancelled
  EchoReply reply;
  const auto status = co_await self.channel->unary(echo + "Unary", request, reply, self.within(100ms));
  EXPECT_EQ(status.code, rpc::Code::deadline_exceeded);
  const TimePoint give_up = self.thread.clock.now() + 20s;
  while (self.service.cancelled == 0 && self.thread.clock.now() < give_up) co_await self.thread.core.yield();
  EXPECT_EQ(self.service.cancelled, 1);
}
TEST_F(GrpcServer, deadline_cancels_the_handler) {
  thread.run([this] { return call_too_slow(*this); });
}

Task<> call_and_cancel(GrpcServer& self) {
  auto call = co_await self.channel->open(echo + "Bidirectional", self.within(60s));
  EXPECT_TRUE(call);
  EchoRequest request;
  EchoReply reply;
  EXPECT_TRUE(co_await (*call)->write(request));
  EXPECT_TRUE((co_await (*call)->read(reply)).value_or(false));
  (*call)->cancel();
  EXPECT_EQ((co_await (*call)->finish()).code, rpc::Code::cancelled);
  const TimePoint give_up = self.thread.clock.now() + 20s;
  while (self.service.cancelled == 0 && self.thread.clock.now() < give_up) co_await self.thread.core.yield();
  EXPECT_EQ(self.service.cancelled, 1);
}
TEST_F(GrpcServer, cancellation_reaches_the_handler) {
  thread.run([this] { return call_and_cancel(*this); });
}

Task<> call_streams(GrpcServer& self) {
  EchoRequest request;
  EchoReply reply;
  request.set_replies(2'000);
  request.set_reply_bytes(10'000);
  auto server_stream = co_await self.channel->open(echo + "ServerStream", self.within(60s));
  EXPECT_TRUE(server_stream);
  EXPECT_TRUE(co_await (*server_stream)->write(request));
  EXPECT_TRUE(co_await (*server_stream)->finish_writing());
  std::uint32_t count = 0;
  while ((co_await (*server_stream)->read(reply)).value_or(false)) EXPECT_EQ(reply.index(), count++);
  EXPECT_EQ(count, 2'000U);
  EXPECT_TRUE((co_await (*server_stream)->finish()).ok());

  request.set_payload(std::string(1'000, 'p'));
  auto client_stream = co_await self.channel->open(echo + "ClientStream", self.within(60s));
  EXPECT_TRUE(client_stream);
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(co_await (*client_stream)->write(request));
  EXPECT_TRUE(co_await (*client_stream)->finish_writing());
  EXPECT_TRUE((co_await (*client_stream)->read(reply)).value_or(false));
  EXPECT_EQ(reply.index(), 10'000U);
  EXPECT_TRUE((co_await (*client_stream)->finish()).ok());

  auto both = co_await self.channel->open(echo + "Bidirectional", self.within(60s));
  EXPECT_TRUE(both);
  for (int i = 0; i < 1'000; ++i) {
    request.set_text(std::to_string(i));
    EXPECT_TRUE(co_await (*both)->write(request));
    EXPECT_TRUE((co_await (*both)->read(reply)).value_or(false));
    EXPECT_EQ(reply.text(), request.text());
  }
  EXPECT_TRUE(co_await (*both)->finish_writing());
  EXPECT_FALSE((co_await (*both)->read(reply)).value_or(true));
  EXPECT_TRUE((co_await (*both)->finish()).ok());
}
TEST_F(GrpcServer, streams_of_every_kind) {
  thread.run([this] { return call_streams(*this); });
}

}  // namespace
}  // namespace skerry
