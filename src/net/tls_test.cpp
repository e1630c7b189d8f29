// SPDX-License-Identifier: Apache-2.0
#include "net/tls_network.hpp"

#include <gtest/gtest.h>

#include <array>

#include "net/testing/certificates.hpp"
#include "net/testing/memory_network.hpp"
#include "net/testing/world.hpp"
#include "runtime/join.hpp"

namespace skerry::net {
namespace {

using testing::CertificateMaker;
using testing::CertificateWish;

const CertificateWish for_store{.name = "store", .alternatives = {"DNS:store", "IP:10.0.0.1"}};

// A server and a client on one fabric. Bytes are real TLS; time and wires are not.
class Tls : public ::testing::Test, protected testing::ManualWorld {
 protected:
  Tls() { write_server(for_store); }

  void write_server(const CertificateWish& wish) {
    const auto made = maker.make(wish);
    server_options.cert_file = folder.write("server.pem", made.certificate_pem);
    server_options.key_file = folder.write("server.key", made.key_pem);
    server_options.trusted_ca_file = client_options.trusted_ca_file = folder.write("ca.pem", maker.ca_pem());
  }
  void write_client(const CertificateMaker::Made& made) {
    client_options.cert_file = folder.write("client.pem", made.certificate_pem);
    client_options.key_file = folder.write("client.key", made.key_pem);
  }

  struct Meeting {
    Result<std::unique_ptr<Stream>> client, server;
    Error server_error;
    bool resumed = false;
  };
  // One connection, up to the end of both handshakes.
  Meeting meet(Network& clients, Listener& listener, const std::string& host = "store") {
    Meeting met;
    run(meet_both(*this, clients, listener, {host, 7000}, met));
    return met;
  }
  Meeting meet() {
    open();
    return meet(*clients_, *listener_);
  }
  void open() {
    auto loaded = TlsFiles::open(server_options, TlsRole::server);
    ASSERT_TRUE(loaded) << loaded.error().message();
    server_files_ = *std::move(loaded);
    servers_ =
        std::make_unique<TlsNetwork>(core, server_network_, TlsNetworkOptions{[this] { return server_files_->current(); }});
    listener_.reset();
    listener_ = *servers_->listen({"store", 7000});
    auto files = TlsFiles::open(client_options, TlsRole::client);
    ASSERT_TRUE(files) << files.error().message();
    clients_ = std::make_unique<TlsNetwork>(core, client_network_, TlsNetworkOptions{reloading(*std::move(files))});
  }

  static Task<> accept_one(Tls& test, Listener& listener, Meeting& met) {
    auto stream = co_await listener.accept();
    const auto shaken = co_await (*stream)->handshake(test.core.now() + 10s);
    if (!shaken) {
      met.server_error = shaken.error();
      (*stream)->close();
      met.server = fail(shaken.error());
    } else {
      met.resumed = static_cast<TlsStream&>(**stream).resumed();
      met.server = std::move(stream);
    }
  }
  static Task<> connect_one(Tls& test, Network& clients, Address address, Meeting& met) {
    met.client = co_await clients.connect(std::move(address), test.core.now() + 10s);
  }
  static Task<> meet_both(Tls& test, Network& clients, Listener& listener, Address address, Meeting& met) {
    std::vector<Task<>> both;
    both.push_back(accept_one(test, listener, met));
    both.push_back(connect_one(test, clients, std::move(address), met));
    co_await run_all(test.core, std::move(both));
  }

  static Task<> connect_and_say(Tls& test, Network& clients, Address address, std::string words, Meeting& met) {
    met.client = co_await clients.connect(std::move(address), test.core.now() + 10s);
    if (!words.empty()) co_await send(**met.client, std::move(words));
  }
  static Task<> meet_plainly(Tls& test, Network& clients, Listener& listener, Meeting& met) {
    std::vector<Task<>> both;
    both.push_back(accept_one(test, listener, met));
    both.push_back(connect_and_say(test, clients, {"store", 7001}, "GET /metrics HTTP/1.1\r\n\r\n", met));
    co_await run_all(test.core, std::move(both));
  }
  static Task<> meet_silent(Tls& test, Network& clients, Listener& listener, Meeting& met) {
    std::vector<Task<>> both;
    both.push_back(accept_one(test, listener, met));
    both.push_back(connect_and_say(test, clients, {"store", 7000}, "", met));
    co_await run_all(test.core, std::move(both));
  }
  static Task<> greet_plainly(Listener& listener, Meeting& met) {
    met.server = co_await listener.accept();
    co_await send(**met.server, "220 welcome\r\n");
  }
  static Task<> meet_plain_server(Tls& test, Network& clients, Listener& listener, Meeting& met) {
    std::vector<Task<>> both;
    both.push_back(greet_plainly(listener, met));
    both.push_back(connect_one(test, clients, {"store", 7002}, met));
    co_await run_all(test.core, std::move(both));
  }

  // What the reader gets of what is written.
  std::string pass(Stream& from, Stream& to, std::string text) {
    std::string got;
    run(send(from, text));
    run(take(to, text.size(), got));
    return got;
  }
  static Task<> send(Stream& to, std::string text) {
    const BytesView piece = text;
    EXPECT_TRUE(co_await to.write({&piece, 1}));
  }
  static Task<> take(Stream& from, std::size_t count, std::string& got) {
    std::array<char, 50'000> chunk;
    while (got.size() < count) {
      const auto some = co_await from.read_some(chunk);
      if (!some || *some == 0) co_return;
      got.append(chunk.data(), *some);
    }
  }

  CertificateMaker maker;
  testing::TestFolder folder;
  TlsOptions server_options{.alpn = {"h2"}}, client_options{.alpn = {"h2"}};
  testing::MemoryFabric fabric;
  testing::MemoryNetwork server_network_{core, fabric, "store"}, client_network_{core, fabric, "client"};
  std::unique_ptr<TlsFiles> server_files_;
  std::unique_ptr<TlsNetwork> servers_, clients_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(Tls, carries_bytes_both_ways) {
  Meeting met = meet();
  ASSERT_TRUE(met.client && met.server);
  EXPECT_TRUE((*met.client)->secure());
  EXPECT_EQ(pass(**met.client, **met.server, "ask"), "ask");
  const std::string large(200'000, 'x');
  EXPECT_EQ(pass(**met.server, **met.client, large), large);
  EXPECT_EQ((*met.server)->peer_certificate(), nullptr);
}

TEST_F(Tls, what_is_tried_and_does_not_fit_is_neither_lost_nor_sent_twice) {
  fabric.pipe_bytes_max = 10'000;
  Meeting met = meet();
  ASSERT_TRUE(met.client && met.server);
  std::string sent, got;
  for (int i = 0; i < 40'000; ++i) sent += static_cast<char>('a' + i % 26);
  const std::size_t tried = (*met.client)->try_write(sent);
  ASSERT_LT(tried, sent.size());
  EXPECT_EQ((*met.client)->try_write("later"), 0U);
  tasks.spawn(send(**met.client, sent.substr(tried)));
  run(take(**met.server, sent.size(), got));
  EXPECT_EQ(got, sent);
}

TEST_F(Tls, an_end_is_an_end) {
  Meeting met = meet();
  ASSERT_TRUE(met.client && met.server);
  (*met.client)->close();
  std::string got;
  run(take(**met.server, 1, got));
  EXPECT_EQ(got, "");
}

TEST_F(Tls, refuses_a_server_of_another_authority) {
  CertificateMaker other("other CA");
  open();
  TlsOptions options = client_options;
  options.trusted_ca_file = folder.write("other.pem", other.ca_pem());
  TlsNetwork clients(core, client_network_, {reloading(*TlsFiles::open(options, TlsRole::client))});
  const Meeting met = meet(clients, *listener_);
  ASSERT_FALSE(met.client);
  EXPECT_EQ(met.client.error(), Errc::invalid_argument);
  EXPECT_NE(met.client.error().text.find("--tls-trusted-ca-file"), std::string::npos) << met.client.error().text;
}

TEST_F(Tls, refuses_a_server_with_another_name_or_an_expired_certificate) {
  open();
  client_options.server_name = "elsewhere";
  Meeting met = meet();
  ASSERT_FALSE(met.client);
  EXPECT_NE(met.client.error().text.find("is not for elsewhere"), std::string::npos) << met.client.error().text;

  client_options.server_name = "10.0.0.1";   // by address
  EXPECT_TRUE(meet().client);

  client_options.server_name.clear();
  write_server(
      {.name = "store", .alternatives = {"DNS:store"}, .begins = std::chrono::hours(-2), .ends = std::chrono::hours(-1)});
  met = meet();
  ASSERT_FALSE(met.client);
  EXPECT_NE(met.client.error().text.find("has expired"), std::string::npos) << met.client.error().text;
}

TEST_F(Tls, without_verification_anything_is_believed) {
  client_options.server_name = "elsewhere";
  client_options.verify_peer = VerifyPeer::no;
  EXPECT_TRUE(meet().client);
}

TEST_F(Tls, a_required_client_certificate_must_be_there_and_good) {
  server_options.client_auth = ClientAuth::require;
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    client_options.min_version = client_options.max_version = version;
    client_options.cert_file = client_options.key_file = "";
    Meeting met = meet();
    EXPECT_FALSE(met.server);
    EXPECT_NE(met.server_error.text.find("showed no certificate"), std::string::npos) << met.server_error.text;

    CertificateMaker other("other CA");
    write_client(other.make({.name = "anna"}));
    EXPECT_FALSE(meet().server);

    write_client(maker.make({.name = "anna", .alternatives = {"DNS:anna.example"}}));
    met = meet();
    ASSERT_TRUE(met.server) << met.server.error().text;
    ASSERT_NE((*met.server)->peer_certificate(), nullptr);
    EXPECT_EQ((*met.server)->peer_certificate()->names, (std::vector<std::string>{"anna", "anna.example"}));
  }
}

TEST_F(Tls, a_client_learns_that_its_certificate_is_missing) {
  server_options.client_auth = ClientAuth::require;
  Meeting met = meet();
  ASSERT_TRUE(met.client);   // with TLS 1.3 the client is done before the server looks
  std::array<char, 10> chunk;
  Result<std::size_t> got = 0;
  const auto read = [](Stream& from, std::span<char> into, Result<std::size_t>& outcome) -> Task<> {
    outcome = co_await from.read_some(into);
  };
  run(read(**met.client, chunk, got));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), Errc::invalid_argument);
  EXPECT_NE(got.error().text.find("wants a client certificate"), std::string::npos) << got.error().text;
}

TEST_F(Tls, an_optional_client_certificate_may_be_missing_but_not_bad) {
  EXPECT_TRUE(meet().server);
  CertificateMaker other("other CA");
  write_client(other.make({.name = "anna"}));
  EXPECT_FALSE(meet().server);
}

TEST_F(Tls, versions_must_meet) {
  server_options.min_version = TlsVersion::tls13;
  client_options.max_version = TlsVersion::tls12;
  const Meeting met = meet();
  ASSERT_FALSE(met.client);
  EXPECT_NE(met.client.error().text.find("no TLS version in common"), std::string::npos) << met.client.error().text;
}

TEST_F(Tls, protocols_must_meet) {
  client_options.alpn = {"smtp"};
  const Meeting met = meet();
  ASSERT_FALSE(met.client);
  EXPECT_NE(met.client.error().text.find("ALPN"), std::string::npos) << met.client.error().text;
  EXPECT_FALSE(met.server);
}

TEST_F(Tls, resumes_a_session_until_the_certificate_changes) {
  Meeting first = meet();
  ASSERT_TRUE(first.client && first.server);
  EXPECT_FALSE(first.resumed);
  pass(**first.server, **first.client, "the tickets come with it");
  const Meeting second = meet(*clients_, *listener_);
  EXPECT_TRUE(second.resumed);

  write_server(for_store);
  ASSERT_TRUE(server_files_->refresh());
  const Meeting third = meet(*clients_, *listener_);
  ASSERT_TRUE(third.client && third.server);
  EXPECT_FALSE(third.resumed);
}

TEST_F(Tls, new_files_count_from_the_next_connection_on_and_broken_ones_change_nothing) {
  open();
  EXPECT_FALSE(server_files_->refresh());
  const auto before = server_files_->current();
  folder.write("server.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
  const auto broken = server_files_->refresh();
  ASSERT_TRUE(broken && !*broken);
  EXPECT_NE(broken->error().text.find("server.pem"), std::string::npos) << broken->error().text;
  EXPECT_EQ(server_files_->current(), before);
  EXPECT_FALSE(server_files_->refresh());   // told once
  EXPECT_TRUE(meet(*clients_, *listener_).client);

  write_server({.name = "renewed", .alternatives = {"DNS:store"}});
  const auto renewed = server_files_->refresh();
  ASSERT_TRUE(renewed && *renewed);
  EXPECT_NE(server_files_->current()->subject().find("renewed"), std::string::npos);
  EXPECT_TRUE(meet(*clients_, *listener_).client);
}

TEST_F(Tls, files_that_do_not_fit_are_named) {
  const auto refusal = [&] {
    const auto loaded = TlsContext::load(server_options, TlsRole::server);
    return loaded ? std::string() : loaded.error().text;
  };
  EXPECT_EQ(refusal(), "");
  folder.write("server.key", maker.make(for_store).key_pem);
  EXPECT_NE(refusal().find("not the key of the certificate"), std::string::npos);
  folder.write("server.key", "no key");
  EXPECT_NE(refusal().find("no usable private key"), std::string::npos);
  write_server(for_store);
  folder.write("ca.pem", "nobody");
  EXPECT_NE(refusal().find("there is no certificate in it"), std::string::npos);
  server_options.cert_file = folder.path("absent.pem");
  EXPECT_NE(refusal().find("absent.pem"), std::string::npos);
  server_options.cert_file = "";
  EXPECT_NE(refusal().find("a key file needs its certificate"), std::string::npos);
}

TEST_F(Tls, cipher_suites_go_by_either_name_and_unknown_ones_are_refused) {
  server_options.cipher_suites = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256";
  EXPECT_TRUE(meet().client);
  server_options.cipher_suites = "TLS_MADE_UP";
  EXPECT_NE(TlsContext::load(server_options, TlsRole::server).error().text.find("TLS_MADE_UP"), std::string::npos);
  EXPECT_FALSE(parse_tls_version("1.1"));
  EXPECT_EQ(*parse_tls_version("772"), TlsVersion::tls13);
}

TEST_F(Tls, a_client_that_speaks_plainly_is_answered_so) {
  open();
  TlsNetwork servers(
      core, server_network_,
      {[this] { return server_files_->current(); }, [](BytesView first) { return "you said " + Bytes(first.substr(0, 3)); }});
  const auto listener = *servers.listen({"store", 7001});
  Meeting met;
  run(meet_plainly(*this, client_network_, *listener, met));
  EXPECT_NE(met.server_error.text.find("does not speak TLS"), std::string::npos) << met.server_error.text;
  std::string got;
  run(take(**met.client, 12, got));
  EXPECT_EQ(got, "you said GET");
}

TEST_F(Tls, a_server_that_speaks_plainly_is_recognised) {
  open();
  const auto listener = *server_network_.listen({"store", 7002});
  Meeting met;
  run(meet_plain_server(*this, *clients_, *listener, met));
  ASSERT_FALSE(met.client);
  EXPECT_EQ(met.client.error(), Errc::invalid_argument);
  EXPECT_NE(met.client.error().text.find("does not speak TLS"), std::string::npos) << met.client.error().text;
}

TEST_F(Tls, a_silent_peer_is_left_at_the_deadline) {
  open();
  Meeting met;
  run(meet_silent(*this, client_network_, *listener_, met));
  EXPECT_EQ(met.server_error, Errc::deadline_exceeded);
}

}  // namespace
}  // namespace skerry::net
