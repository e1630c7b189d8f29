// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.hpp"

#include <list>

#include "rpc/alarm.hpp"
#include "rpc/refusal.hpp"
#include "rpc/server_connection.hpp"
#include "runtime/event.hpp"

namespace skerry::rpc {
namespace {

class ServerImpl final : public Server {
 public:
  ServerImpl(Core& core, net::Network& network, const Methods& methods, ServerOptions options)
      : core_(core), network_(network), options_(options), pool_(core, methods, options_), changed_(core), tasks_(core) {}

  Result<net::Address> start(const net::Address& address) override {
    TRY(listener_, network_.listen(address));
    tasks_.spawn(accept_all());
    return listener_->address();
  }

  void recheck_callers() override {
    for (auto& connection : connections_) connection->recheck_callers();
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

  std::vector<ConnectionFigures> connections() const override {
    std::vector<ConnectionFigures> all;
    all.reserve(connections_.size());
    for (const auto& connection : connections_) all.push_back(connection->figures());
    return all;
  }
  ServerFigures figures() const override {
    ServerFigures figures{.connections_accepted = accepted_,
                          .connections_refused = refused_,
                          .connections_open = connections_.size(),
                          .traffic = ended_traffic_};
    for (const auto& connection : connections_) {
      figures.streams_open += connection->calls();
      figures.traffic += connection->traffic();
    }
    return figures;
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
      if ((*stream)->needs_handshake()) {
        tasks_.spawn(welcome(*std::move(stream)));
      } else {
        take(*std::move(stream));
      }
    }
  }

  void take(std::unique_ptr<net::Stream> stream) {
    if (connections_.size() >= options_.connections_max) {
      ++refused_;
      stream->try_write(refusal(
          NGHTTP2_ENHANCE_YOUR_CALM,
          "the server has reached its limit of " + std::to_string(options_.connections_max) + " connections (connections_max)"));
      return;
    }
    connections_.push_back(std::make_unique<ServerConnection>(tasks_, pool_, std::move(stream), ++accepted_));
    tasks_.spawn(serve(std::prev(connections_.end())));
  }

  // A connection that has yet to say who it is. Those that never do make room for those that come after them.
  class Handshake {
   public:
    Handshake(ServerImpl& server, net::Stream& stream) : server_(server), stream_(stream) {
      if (server_.handshakes_.size() >= server_.options_.handshakes_max) {
        server_.handshakes_.front()->close();
        server_.handshakes_.pop_front();
      }
      server_.handshakes_.push_back(&stream_);
    }
    Handshake(const Handshake&) = delete;
    ~Handshake() { server_.handshakes_.remove(&stream_); }

   private:
    ServerImpl& server_;
    net::Stream& stream_;
  };
  Task<> welcome(std::unique_ptr<net::Stream> stream) {
    std::optional<Handshake> handshake(std::in_place, *this, *stream);
    const Result<> done = co_await stream->handshake(core_.now() + options_.handshake_timeout);
    handshake.reset();
    if (!done && options_.on_handshake_failed) options_.on_handshake_failed(stream->peer(), done.error());
    if (done && !stopping_) take(std::move(stream));
  }

  Task<> serve(Connections::iterator connection) {
    co_await (*connection)->serve();
    ended_traffic_ += (*connection)->traffic();
    connections_.erase(connection);
    changed_.notify_all();
  }

  Core& core_;
  net::Network& network_;
  const ServerOptions options_;
  std::unique_ptr<net::Listener> listener_;
  CallPool pool_;
  Connections connections_;
  std::list<net::Stream*> handshakes_;   // the oldest first
  std::uint64_t accepted_ = 0, refused_ = 0;
  Traffic ended_traffic_;   // of connections that are gone
  Signal changed_;
  bool stopping_ = false;
  TaskScope tasks_;
};

}  // namespace

std::unique_ptr<Server> Server::make(Core& core, net::Network& network, const Methods& methods, ServerOptions options) {
  return std::make_unique<ServerImpl>(core, network, methods, options);
}

}  // namespace skerry::rpc
