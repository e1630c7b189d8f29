// SPDX-License-Identifier: Apache-2.0
#include "net/tcp.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <vector>

#include "net/resolver.hpp"
#include "runtime/core.hpp"

namespace skerry::net {
namespace {

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, CoreExecutor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, CoreExecutor>;
using ErrorCode = boost::system::error_code;
constexpr asio::as_tuple_t<asio::use_awaitable_t<CoreExecutor>> as_values;

Address to_address(const Tcp::endpoint& endpoint) { return {endpoint.address().to_string(), endpoint.port()}; }

// A socket operation that failed, as a value. `closed` when this end closed it or the other end is gone.
std::unexpected<Error> failed(const Address& peer, std::string_view doing, const ErrorCode& error) {
  const bool gone = error == asio::error::operation_aborted || error == asio::error::bad_descriptor ||
                    error == asio::error::connection_reset || error == asio::error::broken_pipe || error == asio::error::eof ||
                    error == asio::error::not_connected;
  return fail(gone ? Errc::closed : Errc::io_failed,
              std::string(doing) + " " + peer.text() + ": " +
                  (error == asio::error::operation_aborted ? "the connection was closed here" : error.message()));
}

class TcpStream final : public Stream {
 public:
  TcpStream(Socket socket, Address peer) : socket_(std::move(socket)), peer_(std::move(peer)) {
    ErrorCode ignored;   // both only matter for speed
    socket_.set_option(Tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
  }
  ~TcpStream() override { close(); }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), as_values);
    if (error == asio::error::eof && socket_.is_open()) co_return 0;
    if (error) co_return failed(peer_, "reading from", error);
    co_return count;
  }

  Task<Result<>> write(std::span<const BytesView> pieces) override {
    std::vector<asio::const_buffer> buffers;
    buffers.reserve(pieces.size());
    for (const BytesView piece : pieces) buffers.emplace_back(piece.data(), piece.size());
    const auto [error, count] = co_await asio::async_write(socket_, buffers, as_values);
    if (error) co_return failed(peer_, "writing to", error);
    co_return Result<>();
  }

  std::size_t try_write(BytesView bytes) override {
    if (!socket_.is_open()) return 0;
    const ssize_t count = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }

  void close() override {
    ErrorCode ignored;
    socket_.shutdown(Tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }
  Address peer() const override { return peer_; }

 private:
  Socket socket_;
  Address peer_;
};

class TcpListener final : public Listener {
 public:
  TcpListener(Core& core, Acceptor acceptor, Address address)
      : core_(core), acceptor_(std::move(acceptor)), address_(std::move(address)) {}
  ~TcpListener() override { close(); }

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(as_values);
      if (!acceptor_.is_open()) co_return fail(Errc::closed, "listener " + address_.text() + " is closed");
      if (!error) {
        ErrorCode gone;
        const auto remote = socket.remote_endpoint(gone);
        if (gone) continue;   // left before it was looked at
        co_return std::make_unique<TcpStream>(std::move(socket), to_address(remote));
      }
      if (error == asio::error::connection_aborted || error == asio::error::interrupted) continue;
      // Out of descriptors or memory: the connection stays in the backlog; trying at once would only spin.
      if (error == asio::error::no_descriptors || error == asio::error::no_buffer_space || error == asio::error::no_memory ||
          error.value() == ENFILE) {
        co_await core_.sleep_for(100ms);
        continue;
      }
      co_return failed(address_, "accepting on", error);
    }
  }
  Address address() const override { return address_; }
  void close() override {
    ErrorCode ignored;
    acceptor_.close(ignored);
  }

 private:
  Core& core_;
  Acceptor acceptor_;
  Address address_;
};

std::unexpected<Error> cannot_listen(const Address& address, const ErrorCode& error) {
  const std::string text = "address " + address.text();
  if (error == asio::error::address_in_use) {
    return fail(Errc::already_exists, text +
                                          " is already in use: stop the process that listens there (`ss -ltnp` names it) "
                                          "or choose another port");
  }
  if (error.value() == EADDRNOTAVAIL) {
    return fail(Errc::unavailable, text + " does not belong to this machine: choose one that `ip address` lists, or :" +
                                       std::to_string(address.port) + " for all interfaces");
  }
  if (error == asio::error::access_denied) {
    return fail(Errc::unavailable,
                text + " may not be listened on by this user: ports below 1024 need a privilege, choose a higher one");
  }
  return fail(Errc::io_failed, "cannot listen on " + text + ": " + error.message());
}

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

}  // namespace

TcpNetwork::TcpNetwork(Core& core, TcpOptions options)
    : core_(core), options_(options), resolver_(std::make_unique<Resolver>(core)) {}
TcpNetwork::~TcpNetwork() = default;

Result<std::unique_ptr<Listener>> TcpNetwork::listen(const Address& address) {
  const bool everywhere = address.host.empty();
  const IpAddresses hosts =
      everywhere ? IpAddresses{asio::ip::address_v6::any(), asio::ip::address_v4::any()} : literal_addresses(address.host);
  if (hosts.empty()) {
    return fail(Errc::invalid_argument, "address " + address.text() +
                                            " cannot be listened on: give a literal IP address, "
                                            "localhost, or no host at all for every interface");
  }
  ErrorCode error;
  for (const auto& host : hosts) {
    Acceptor acceptor(core_.executor());
    const Tcp::endpoint endpoint(host, address.port);
    acceptor.open(endpoint.protocol(), error);
    if (error == asio::error::address_family_not_supported && &host != &hosts.back()) continue;   // no IPv6 here
    if (!error && everywhere && host.is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
    if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error && options_.port == PortUse::join) acceptor.set_option(ReusePort(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(options_.backlog, error);
    // Only now: two sockets that both share from the start would not see that the port is taken.
    if (!error && options_.port == PortUse::first) acceptor.set_option(ReusePort(true), error);
    if (error) return cannot_listen(address, error);
    const Address real{address.host, acceptor.local_endpoint(error).port()};
    return std::make_unique<TcpListener>(core_, std::move(acceptor), real);
  }
  return cannot_listen(address, error);
}

namespace {

struct CloseWhenDue final : Timer {
  explicit CloseWhenDue(Socket& connecting) : socket(connecting) {}
  void on_due() override {
    fired = true;
    ErrorCode ignored;
    socket.close(ignored);
  }
  Socket& socket;
  bool fired = false;
};

}  // namespace

Task<Result<std::unique_ptr<Stream>>> TcpNetwork::connect(Address address, Deadline deadline) {
  IpAddresses hosts = literal_addresses(address.host);
  if (hosts.empty()) {
    if (address.host.empty()) {
      hosts = literal_addresses("localhost");
    } else {
      CO_TRY(hosts, co_await resolver_->resolve(address.host, deadline));
    }
  }
  ErrorCode error;
  for (const auto& host : hosts) {
    Socket socket(core_.executor());
    CloseWhenDue timer(socket);
    if (deadline != no_deadline) core_.timers().arm(timer, deadline);
    error = std::get<0>(co_await socket.async_connect(Tcp::endpoint(host, address.port), as_values));
    if (timer.fired) co_return fail(Errc::deadline_exceeded, "connecting to " + address.text() + " took too long");
    if (!error) co_return std::make_unique<TcpStream>(std::move(socket), address);
  }
  co_return fail(Errc::unavailable, "cannot connect to " + address.text() + ": " + error.message());
}

}  // namespace skerry::net
