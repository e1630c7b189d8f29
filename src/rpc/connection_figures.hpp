// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

#include "net/stream.hpp"

namespace skerry::rpc {

// What was counted on a connection, or on many together. Plain numbers of one core.
struct Traffic {
  std::uint64_t streams = 0, streams_failed = 0;   // calls that began; that ended neither OK nor cancelled
  std::uint64_t messages_received = 0, messages_sent = 0;
  std::uint64_t bytes_received = 0, bytes_sent = 0;   // of the byte stream, HTTP/2's own included
  // How often replies were ready and had to wait: for the client to take more of one stream, of the connection as a whole, and
  // for the socket; and how often a client had to wait because its stream's handler was slow.
  std::uint64_t stalls_of_stream = 0, stalls_of_connection = 0, stalls_of_socket = 0, stalls_of_client = 0;

  Traffic& operator+=(const Traffic& other) {
    streams += other.streams, streams_failed += other.streams_failed;
    messages_received += other.messages_received, messages_sent += other.messages_sent;
    bytes_received += other.bytes_received, bytes_sent += other.bytes_sent;
    stalls_of_stream += other.stalls_of_stream, stalls_of_connection += other.stalls_of_connection;
    stalls_of_socket += other.stalls_of_socket, stalls_of_client += other.stalls_of_client;
    return *this;
  }
};

// One connection of a server, as of now.
struct ConnectionFigures {
  std::uint64_t id = 0;        // in the order of acceptance, of its core
  net::Address peer;
  Duration age{}, idle{};      // since it was accepted; since bytes last came
  std::size_t streams_open = 0;
  Traffic traffic = {};
};

// A server as a whole, since it was made.
struct ServerFigures {
  std::uint64_t connections_accepted = 0, connections_refused = 0;   // refused: beyond connections_max
  std::size_t connections_open = 0, streams_open = 0;
  Traffic traffic = {};             // of connections that have ended, too
};

}  // namespace skerry::rpc
