// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.hpp"

#include <list>

#include "rpc/server_connection.hpp"
#include "runtime/event.hpp"

namespace skerry::rpc {
namespace {

struct Alarm final : Timer {
  explicit Alarm(Signal& to_notify) : signal(to_notify) {}
  void on_due() override {
    rang = true;
    signal.notify_all();
  }
  Signal& signal;
  bool rang = false;
};

// An HTTP/2 server's first words to a client it cannot take: empty SETTINGS, then GOAWAY with the reason.
Bytes refusal(std::string_view reason) {
  Bytes out("\0\0\0\x04\0\0\0\0\0", 9);
  const auto length = static_cast<std::uint32_t>(8 + reason.size());
  out += {static_cast<char>(length >> 16), static_cast<char>(length >> 8), static_cast<char>(length), '\x07', '\0'};
  append_big_endian(out, std::uint32_t{0});   // of the connection
  append_big_endian(out, std::uint32_t{0});   // no stream was taken
  append_big_endian(out, static_cast<std::uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
  return out.append(reason);
}

class ServerImpl final : public Server {
 public:
  ServerImpl(Core& core, net::Network& network, const Methods& methods, ServerOptions options)
      : core_(core), network_(network), options_(options), pool_(core, methods, options_), changed_(core), tasks_(core) {}

  Result<net::Address> start(const net::Address& address) override {
    TRY(listener_, network_.listen(address));
    tasks_.spawn(accept_all());
    return listener_->address();
  }

  Task<> stop(Deadline deadline) override {
    stopping_ = true;
    if (listener_ != nullptr) listener_->close();
    for (auto& connection : connections_) connection->drain();
    Alarm alarm(changed_);
    core_.timers().arm(alarm, deadline);
    while (!connections_.empty() && !alarm.rang) co_await changed_.wait();
    alarm.cancel();
    for (auto& connection : connections_) {
      connection->cut({Code::unavailable, "the server is stopping; try again elsewhere", {}});
    }
    while (!connections_.empty()) co_await changed_.wait();
    co_await tasks_.cancel_and_join();
  }

 private:
  using Connections = std::list<std::unique_ptr<ServerConnection>>;

  Task<> accept_all() {
    for (;;) {
      auto stream = co_await listener_->accept();
      if (stopping_) co_return;
      if (!stream) {
        if (stream.error() == Errc::closed) co_return;
        co_await core_.sleep_for(100ms);   // what made it fail is not gone at once
        continue;
      }
      if (connections_.size() >= options_.connections_max) {
        (*stream)->try_write(refusal("the server has reached its limit of " + std::to_string(options_.connections_max) +
                                     " connections (connections_max)"));
        continue;
      }
      connections_.push_back(std::make_unique<ServerConnection>(tasks_, pool_, std::move(*stream)));
      tasks_.spawn(serve(std::prev(connections_.end())));
    }
  }

  Task<> serve(Connections::iterator connection) {
    co_await (*connection)->serve();
    connections_.erase(connection);
    changed_.notify_all();
  }

  Core& core_;
  net::Network& network_;
  const ServerOptions options_;
  std::unique_ptr<net::Listener> listener_;
  CallPool pool_;
  Connections connections_;
  Signal changed_;
  bool stopping_ = false;
  TaskScope tasks_;
};

}  // namespace

std::unique_ptr<Server> Server::make(Core& core, net::Network& network, const Methods& methods, ServerOptions options) {
  return std::make_unique<ServerImpl>(core, network, methods, options);
}

}  // namespace skerry::rpc
