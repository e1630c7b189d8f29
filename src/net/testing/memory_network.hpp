// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "net/stream.hpp"
#include "runtime/core.hpp"

namespace skerry::net::testing {

struct Link;
class MemoryListener;

// The wires between the hosts of a test or a simulation: what is listened on, which connections there are, how slow they are
// and which are cut. Deterministic; for cores that are all driven by one thread. Outlives the networks made on it.
class MemoryFabric {
 public:
  // What a stream holds on its way to a reader, before its writer has to wait.
  std::size_t pipe_bytes_max = 256 << 10;

  // Every byte arrives so much later. For streams and hosts alike, from now on.
  void set_delay(Duration delay) { delay_ = delay; }
  Duration delay() const { return delay_; }

  // Nothing arrives any more, in either direction, and nobody is told: a partition. What was sent arrives after heal().
  void cut(const std::string& a, const std::string& b);
  void heal(const std::string& a, const std::string& b);
  // Every connection between the two fails at once, as after a reset.
  void break_connections(const std::string& a, const std::string& b);

 private:
  friend class MemoryNetwork;
  friend class MemoryListener;
  static std::pair<std::string, std::string> pair(const std::string& a, const std::string& b) { return std::minmax(a, b); }
  std::vector<std::shared_ptr<Link>> links_between(const std::string& a, const std::string& b);

  Duration delay_{0};
  std::set<std::pair<std::string, std::string>> cuts_;
  std::map<std::string, MemoryListener*> listeners_;   // by "host:port"
  std::vector<std::weak_ptr<Link>> links_;
  std::uint16_t next_port_ = 20'000;
};

// One host's, or one core's, view of the fabric.
class MemoryNetwork final : public Network {
 public:
  MemoryNetwork(Core& core, MemoryFabric& fabric, std::string host) : core_(core), fabric_(fabric), host_(std::move(host)) {}
  // An empty host in the address means this network's own.
  Result<std::unique_ptr<Listener>> listen(const Address& address) override;
  Task<Result<std::unique_ptr<Stream>>> connect(Address address, Deadline deadline) override;

 private:
  Core& core_;
  MemoryFabric& fabric_;
  const std::string host_;
};

}  // namespace skerry::net::testing
