// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "net/stream.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

// The wires of a local cluster: everybody reaches a node's internal port through a link, and what goes from one member to another
// can be cut. As on a network, nobody is told: bytes wait until the cut is healed, and a connection that is made meanwhile says
// nothing. One core's; outlives its tasks through stop().
class ClusterLinks {
 public:
  using Member = std::uint32_t;
  struct Link {
    net::Address address, to;   // listens there, and passes on to here
  };
  // Who has made a connection, by its own end's port and the link's; nothing: a stranger, who is never cut off.
  using CallerOf = std::function<std::optional<Member>(std::uint16_t port, std::uint16_t link_port)>;

  ClusterLinks(Core& core, net::Network& network, std::map<Member, Link> links, CallerOf caller_of);
  Result<> start();   // fails when a link's port is taken
  Task<> stop();

  // What `from` sends does not reach `to` any more, whoever of them made the connection.
  void cut(Member from, Member to);
  void heal(Member from, Member to);
  bool is_cut(Member from, Member to) const { return cuts_.contains({from, to}); }
  const std::set<std::pair<Member, Member>>& cuts() const { return cuts_; }

 private:
  struct Waiting;
  using Way = std::pair<std::optional<Member>, std::optional<Member>>;
  bool is_cut(Way way) const { return way.first && way.second && is_cut(*way.first, *way.second); }
  bool is_cut_off(Way way) const { return is_cut(way) || is_cut(Way{way.second, way.first}); }

  Task<> accept(Member to);
  Task<> serve(Member to, std::unique_ptr<net::Stream> caller);
  Task<> wait_open(Way way, Waiting& waiting);
  Task<> absorb(net::Stream& caller, Waiting& waiting);
  Task<> carry(net::Stream& from, net::Stream& to, Way way);

  Core& core_;
  net::Network& network_;
  const std::map<Member, Link> links_;
  CallerOf caller_of_;
  std::map<Member, std::unique_ptr<net::Listener>> listeners_;
  std::set<std::pair<Member, Member>> cuts_;
  Signal changed_;
  TaskScope tasks_;
};

}   // namespace skerry::node
