// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "rpc/http2_connection.hpp"
#include "rpc/server_call.hpp"
#include "rpc/shared_budget.hpp"

namespace skerry::rpc {

// Unused calls, and what the calls of all connections of a server hold.
class CallPool {
 public:
  CallPool(Core& core, const Methods& methods, const ServerOptions& options);
  std::unique_ptr<ActiveCall> take();
  void give_back(std::unique_ptr<ActiveCall> call);

  const Method* find(std::string_view path);
  MethodObserver* observer(const Method& method) const { return observers_[method.index]; }
  const ServerOptions& options() const { return options_; }
  Core& core() const { return core_; }

  SharedBudget& requests() { return requests_; }   // under way: not answered yet
  SharedBudget& replies() { return replies_; }     // that no client has taken yet
  std::size_t connections() const { return connections_; }
  void connection_opened() { ++connections_; }
  void connection_closed() { --connections_; }

 private:
  static constexpr std::size_t kept_max = 4'096;
  Core& core_;
  const Methods& methods_;
  const ServerOptions& options_;
  std::vector<MethodObserver*> observers_;
  std::vector<std::unique_ptr<ActiveCall>> unused_;
  const Method* last_found_ = nullptr;   // requests come in runs of the same method
  SharedBudget requests_, replies_;
  std::size_t connections_ = 0;
};

// One client's connection: turns nghttp2's events into calls, enforces the limits of a connection, and ends the calls with
// it. Made by the server for each accepted stream; serve() runs until the connection and all of its calls have ended.
class ServerConnection final : public Http2Connection, private Timer {
 public:
  ServerConnection(TaskScope& scope, CallPool& pool, std::unique_ptr<net::Stream> stream, std::uint64_t id);
  ~ServerConnection() override;

  Task<> serve();
  // Takes no new calls, and closes when the last has ended.
  void drain();
  // Ends every call with `status`, then closes.
  void cut(const Status& status);
  // Ends the calls whose callers the guard would no longer admit.
  void recheck_callers();
  std::size_t calls() const { return calls_.size(); }
  ConnectionFigures figures() const;

  CallPool& pool() { return pool_; }
  void advance_later(ActiveCall& call) {
    ready_.push_back(&call);
    send_soon();
  }
  void release(ActiveCall& call);   // its stream is closed and its handler has returned
  void call_ended() {
    --unanswered_;
    ++answered_;
  }
  void replied() { ping_strikes_ = 0, last_ping_ = TimePoint::min(); }
  nghttp2_data_provider provider(ActiveCall& call);

  void hold_requests_instead(std::size_t before, std::size_t now) { pool_.requests().hold_instead(requests_held_, before, now); }
  void hold_replies_instead(std::size_t before, std::size_t now) { pool_.replies().hold_instead(replies_held_, before, now); }
  bool may_hold_more_requests() const { return pool_.requests().allows_more(requests_held_, pool_.connections()); }
  bool may_hold_more_replies() const { return pool_.replies().allows_more(replies_held_, pool_.connections()); }

 private:
  struct Callbacks;
  void after_receive() override;
  bool behind() const override { return !postponed_.empty(); }
  void before_send() override;
  void advance_in_time();
  void take_up_postponed();
  void on_due() override;

  void open_session();
  void begin_call(std::int32_t stream);
  void take_ping(const nghttp2_frame& frame);
  void go_away(std::uint32_t code, std::string_view reason);
  void finish_drain();
  ActiveCall* call(std::int32_t stream) const { return static_cast<ActiveCall*>(carried(stream)); }

  CallPool& pool_;
  const std::uint64_t id_;
  const TimePoint accepted_;
  boost::intrusive::list<ActiveCall, boost::intrusive::constant_time_size<true>> calls_;   // owned; released by release()
  std::vector<ActiveCall*> ready_, advancing_, postponed_;
  WaitList ended_;
  std::size_t unanswered_ = 0;   // calls that have begun and not ended
  std::size_t answered_ = 0;     // calls that have ended since frames were last taken
  std::size_t requests_held_ = 0, replies_held_ = 0;
  TimePoint last_ping_ = TimePoint::min();
  int ping_strikes_ = 0;
  bool draining_ = false, drained_ = false;
};

}  // namespace skerry::rpc
