// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "net/tls_stream.hpp"

namespace skerry::net {

struct TlsNetworkOptions {
  TlsContexts contexts;             // asked for each connection, so that a new certificate counts from the next one on
  PlainRefusal refuse_plain = {};   // of listeners
};

// TLS over another network: what connects has shaken hands when it is handed out; what is accepted has that before it, so that
// accepting goes on (Stream::handshake). Made for a listener or for clients, as the contexts' role says. One core's; both the
// core and the network below must outlive it, and it its listeners and streams.
class TlsNetwork final : public Network {
 public:
  TlsNetwork(Core& core, Network& inner, TlsNetworkOptions options);
  Result<std::unique_ptr<Listener>> listen(const Address& address) override;
  // Fails also as TlsStream::handshake() does.
  Task<Result<std::unique_ptr<Stream>>> connect(Address address, Deadline deadline) override;

 private:
  Core& core_;
  Network& inner_;
  TlsNetworkOptions options_;
  std::shared_ptr<TlsSessions> sessions_ = std::make_shared<TlsSessions>();
};

// The contexts of a client: its files are looked at before each connection. That is a few calls of the file system on the core,
// each time a connection is made.
TlsContexts reloading(std::shared_ptr<TlsFiles> files);

}  // namespace skerry::net
