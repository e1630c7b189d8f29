// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/raft_members.hpp"
#include "control/raft_messages.hpp"
#include "net/stream.hpp"
#include "rpc/methods.hpp"
#include "runtime/task_scope.hpp"
#include "skerry/control/v1/raft.pb.h"

namespace skerry::control {

// Hears what other coordinators say.
class RaftListener {
 public:
  virtual ~RaftListener() = default;
  // Fails with corrupt when no coordinator may say that: the stream then ends with the reason.
  virtual Result<> on_message(RaftMember from, const RaftMessage& message) = 0;
  virtual void on_connected(RaftMember to) = 0;   // what was on its way before may be lost
  // Why another does not want to talk to this one. Told once for each reason.
  virtual void on_refused(RaftMember by, const std::string& why) = 0;
};

// The streams between one coordinator and the others: one to each, with all that it says to it, and one from each. A stream that
// breaks is made again; what it carried is lost. One core's; stop() after the server in which it is registered.
class RaftLinks {
 public:
  struct Identity {
    std::string cluster;
    RaftMembers members;
    std::string address;   // of this one, for people
  };
  // All must outlive it.
  RaftLinks(Core& core, net::Network& network, Identity identity, RaftListener& listener);
  ~RaftLinks();

  void register_in(rpc::Methods& methods);   // the answering side
  void start();
  // Says goodbye to whom it has said nothing yet, for a moment.
  Task<> stop();

  void send(RaftMember to, RaftMessage message);
  // What the other tells people to call; empty until it has called.
  std::string address_of(RaftMember member) const;

 private:
  class Outbound;
  class Inbound;
  Task<rpc::Status> answer(rpc::ServerCall& call, rpc::Requests<v1::AgreeRequest>& requests,
                           rpc::Replies<v1::AgreeAnswer>& replies);
  std::expected<RaftMember, rpc::Status> check_caller(const rpc::ServerCall& call) const;

  Core& core_;
  net::Network& network_;
  const Identity identity_;
  RaftListener& listener_;
  bool started_ = false;
  std::map<RaftMember, std::unique_ptr<Outbound>> outbound_;
  std::map<RaftMember, std::string> addresses_;
};

}   // namespace skerry::control
