// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "net/stream.hpp"

namespace skerry {
class Core;
}

namespace skerry::net {

enum class PortUse {
  alone,
  // Several cores listen on one port and the kernel spreads the connections. The first takes it, which fails like `alone` when
  // any other process has it; from then on the others join. A port that nobody shares can't be joined by mistake.
  first,
  join,
};

struct TcpOptions {
  PortUse port = PortUse::alone;
  int backlog = 1'024;
};

// The machine's TCP for one core. Literal addresses and "localhost" are connected to directly; other names are looked up on
// a helper thread, which is started by the first of them. Must outlive its listeners and streams; the core must outlive it.
class TcpNetwork final : public Network {
 public:
  explicit TcpNetwork(Core& core, TcpOptions options = {});
  ~TcpNetwork() override;
  // An empty host listens on all interfaces, IPv6 and IPv4.
  Result<std::unique_ptr<Listener>> listen(const Address& address) override;
  // Tries the host's addresses in order, each with what is left of the time. Fails with unavailable when none answers.
  Task<Result<std::unique_ptr<Stream>>> connect(Address address, Deadline deadline) override;

 private:
  Core& core_;
  TcpOptions options_;
  std::unique_ptr<class Resolver> resolver_;
};

}  // namespace skerry::net
