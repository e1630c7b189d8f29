// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "control/coordinator_core.hpp"
#include "net/stream.hpp"
#include "rpc/channel.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"
#include "skerry/control/v1/control.pb.h"

namespace skerry::control {

// Hears what a server says, or that it says nothing.
class ServerLinkListener {
 public:
  virtual ~ServerLinkListener() = default;
  virtual void on_greeted(const std::string& name, Greeting greeting) = 0;
  virtual void on_reported(const std::string& name, NodeReport report) = 0;
  virtual void on_broke(const std::string& name, const std::string& why) = 0;
  virtual void on_connect_failed(const std::string& name, const std::string& why) = 0;
  virtual void on_replied(const NodeCall& call, NodeReply reply) = 0;
};

// A coordinator's connection to one server: the standing call, made again and again, and what is asked beside it. One core's.
class ServerLink {
 public:
  // As whom it calls: a coordinator of the cluster `instance`, in its term of office `epoch`.
  struct Caller {
    std::string instance;
    std::int64_t epoch = 0;
  };
  ServerLink(Core& core, net::Network& network, Caller caller, Attendance attendance, net::Address address,
             ServerLinkListener& listener);
  ~ServerLink();
  Task<> stop();

  const Attendance& attendance() const { return attendance_; }
  void stands_for(NodeId node) { attendance_.node = node; }   // from now on
  void bind();                                                // with the next order
  void give_up(NodeId node);                                  // with the next order
  void publish(const Publication& publication);
  void ask(NodeCall call);

 private:
  class Sending;

  Task<> run();
  Task<std::string> serve(rpc::ClientCall& call);
  v1::Order next_order(bool first);
  bool has_news() const { return bind_ || give_up_ || nodes_.due || holdings_.due || assignments_.due; }
  void take(const v1::Report& report);
  Task<> carry(NodeCall call);
  Task<NodeReply> send(const NodeCall& call);
  rpc::CallOptions options_of(const NodeCall& call) const;

  Core& core_;
  const Caller caller_;
  Attendance attendance_;
  ServerLinkListener& listener_;
  std::unique_ptr<rpc::Channel> channel_;
  // What the server is told; all of it again when the call is made anew.
  template <class Message>
  struct Told {
    std::optional<Message> message;
    bool due = false;   // with the next order
    void set(Message news) {
      message = std::move(news);
      due = true;
    }
  };
  bool bind_ = false;    // with the next order
  std::optional<NodeId> give_up_;   // the same
  bool heard_ = false;   // a report on the present or the last call
  bool bound_ = false;   // so it says; else its reports say nothing
  Told<v1::Nodes> nodes_;
  Told<v1::Holdings> holdings_;
  Told<v1::Assignments> assignments_;
  std::uint64_t orders_ = 0;
  WaitList news_;
  TaskScope tasks_;
};

}   // namespace skerry::control
