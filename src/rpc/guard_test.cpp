// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "auth/caller.hpp"
#include "net/testing/certificates.hpp"
#include "net/tls_network.hpp"
#include "rpc/refusal.hpp"
#include "rpc/testing/world.hpp"

namespace skerry::rpc {
namespace {

using test::EchoRequest;
using test::RpcWorld;

class Doorkeeper final : public CallGuard {
 public:
  bool open = true;
  std::optional<std::string> asked;   // the header of the last call

  std::expected<CallerPtr, Status> admit(const ServerCall& call) override {
    asked = call.header("authorization");
    if (!open) return std::unexpected(Status{Code::unauthenticated, "who are you?", {}});
    return std::make_shared<const auth::Caller>(auth::Caller{"me", {}});
  }
  std::optional<Status> revoke(const ServerCall&) override {
    if (open) return std::nullopt;
    return Status{Code::unauthenticated, "not any more", {}};
  }
};

TEST(CallGuard, lets_in_or_refuses_before_the_handler) {
  Doorkeeper guard;
  RpcWorld world;
  world.serve({.guard = &guard});
  world.open();
  CallOptions options = world.within(10s);
  options.metadata.add("authorization", "Bearer me");
  RpcWorld::Outcome outcome;
  world.call(outcome, {}, std::move(options));
  world.settle();
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message;
  EXPECT_EQ(guard.asked, "Bearer me");

  guard.open = false;
  outcome = world.call_and_wait({});
  EXPECT_EQ(outcome.status.code, Code::unauthenticated);
  EXPECT_EQ(outcome.status.message, "who are you?");
  EXPECT_EQ(guard.asked, std::nullopt);
}

TEST(CallGuard, ends_calls_that_it_would_not_admit_any_more) {
  Doorkeeper guard;
  RpcWorld world;
  world.serve({.guard = &guard});
  world.open();
  EchoRequest slow;
  slow.set_delay_ms(60'000);
  RpcWorld::Outcome outcome;
  world.call(outcome, slow, world.within(120s));
  world.settle();
  world.server->recheck_callers();
  world.settle();
  EXPECT_FALSE(outcome.ended);
  guard.open = false;
  world.server->recheck_callers();
  world.settle();
  ASSERT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.status.message, "not any more");
}

// The echo service behind TLS.
struct SecureWorld : RpcWorld {
  net::testing::CertificateMaker maker;
  net::testing::TestFolder folder;
  std::shared_ptr<net::TlsFiles> server_files, client_files;
  std::unique_ptr<net::TlsNetwork> secure_server, secure_client;
  std::vector<Error> failures;

  void serve_securely(ServerOptions options) {
    const auto made = maker.make({.name = "server", .alternatives = {"DNS:server"}});
    const std::string ca = folder.write("ca.pem", maker.ca_pem());
    server_files = *net::TlsFiles::open({.cert_file = folder.write("cert.pem", made.certificate_pem),
                                         .key_file = folder.write("key.pem", made.key_pem),
                                         .alpn = {"h2"}},
                                        net::TlsRole::server);
    client_files = *net::TlsFiles::open({.trusted_ca_file = ca, .alpn = {"h2"}}, net::TlsRole::client);
    secure_server = std::make_unique<net::TlsNetwork>(core, server_side,
                                                      net::TlsNetworkOptions{net::reloading(server_files), refusal_without_tls});
    secure_client = std::make_unique<net::TlsNetwork>(core, client_side, net::TlsNetworkOptions{net::reloading(client_files)});
    options.on_handshake_failed = [this](const net::Address&, const Error& why) { failures.push_back(why); };
    server = Server::make(core, *secure_server, methods, std::move(options));
    ASSERT_TRUE(server->start(address));
    channel = Channel::make(core, *secure_client, address, {});
  }
  ~SecureWorld() {
    stop();
    channel.reset();
    server.reset();
  }
};

TEST(SecureServer, answers_through_tls) {
  SecureWorld world;
  world.serve_securely({});
  EchoRequest request;
  request.set_text(std::string(300'000, 'x'));
  const auto outcome = world.call_and_wait(request);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.message;
  EXPECT_EQ(outcome.reply.text().size(), 300'000U);
}

TEST(SecureServer, tells_a_plain_channel_to_use_tls) {
  SecureWorld world;
  world.serve_securely({});
  const auto secure = std::move(world.channel);
  world.open();
  const auto outcome = world.call_and_wait({});
  EXPECT_EQ(outcome.status.code, Code::failed_precondition);
  EXPECT_NE(outcome.status.message.find("takes only connections with TLS"), std::string::npos) << outcome.status.message;
}

Task<> connect_silently(net::Network& network, net::Address address, std::vector<std::unique_ptr<net::Stream>>& streams) {
  auto stream = co_await network.connect(std::move(address), no_deadline);
  if (stream) streams.push_back(*std::move(stream));
}

TEST(SecureServer, silent_newcomers_make_room_for_each_other_and_for_those_who_speak) {
  SecureWorld world;
  world.serve_securely({.handshakes_max = 3});
  std::vector<std::unique_ptr<net::Stream>> silent;
  for (int i = 0; i < 10; ++i) world.run(connect_silently(world.client_side, world.address, silent));
  world.settle();
  EXPECT_EQ(world.failures.size(), 7U);
  EXPECT_TRUE(world.call_and_wait({}).status.ok());
  world.advance(11s);
  EXPECT_EQ(world.failures.size(), 10U);
}

}  // namespace
}  // namespace skerry::rpc
