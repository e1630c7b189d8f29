// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>

#include "rpc/client_stream.hpp"

namespace skerry::rpc {

constexpr std::size_t client_stream_window_bytes = 1 << 20;

// One HTTP/2 connection to a server: turns nghttp2's events into those of calls. Made and owned by a channel; run() lasts as
// long as it does.
class ClientConnection final : public Http2Connection, private Timer {
 public:
  // `options` outlive it; `keepalive_interval` is the channel's own, which grows when a server asks for fewer pings.
  ClientConnection(Core& core, TaskScope& scope, std::unique_ptr<net::Stream> stream, const ChannelOptions& options,
                   Duration keepalive_interval);
  ~ClientConnection() override;   // where frames are dropped a call may outlive it

  Task<Error> run();
  // Sends the call's headers, and what it has queued as it comes.
  Result<> submit(ClientStream& call, const Metadata& metadata);
  void stop(Error why) { close(std::move(why)); }
  // The server takes no new calls, or this side has no stream ids left: make a new connection.
  bool going_away() const { return going_away_ || closed(); }
  const std::string& farewell() const { return farewell_; }
  bool refused() const { return refused_; }
  bool asked_for_fewer_pings() const { return fewer_pings_; }

  // From streams.
  void resume(const ClientStream& call);
  void reset(ClientStream& call);    // tells the server to stop, and hears no more of it
  void advance_later(ClientStream& call) {
    ready_.push_back(&call);
    send_soon();
  }
  void forget(ClientStream& call);   // takes it off the list of those to advance

 private:
  struct Callbacks;
  void open_session();
  void detach_calls();
  void after_receive() override { before_send(); }
  void before_send() override;
  void on_due() override;
  ClientStream* call(std::int32_t stream) const { return static_cast<ClientStream*>(carried(stream)); }

  const ChannelOptions& options_;
  const Duration keepalive_interval_;
  boost::intrusive::list<ClientStream, boost::intrusive::constant_time_size<false>> calls_;
  std::vector<ClientStream*> ready_, advancing_;
  std::string farewell_;   // what the server said when it went away
  bool going_away_ = false, fewer_pings_ = false;
  bool refused_ = false;   // for a reason that another attempt does not mend
};

}  // namespace skerry::rpc
