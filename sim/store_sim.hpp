// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <limits>
#include <string>

#include "sim/store_machine.hpp"
#include "sim/store_model.hpp"
#include "sim/trace.hpp"
#include "store/entry.hpp"

namespace skerry::sim {

struct StoreSimOptions {
  std::uint64_t seed = 1;
  Planted planted = Planted::nothing;
  Trace::Print print = Trace::Print::no;
  int lives_max = 6;         // processes, one after the other
  int turns_max = 2500;      // of one process before it crashes
};

struct StoreSimReport {
  std::string failure;       // empty: all was as it must be
  std::uint64_t trace_hash = 0;
  std::uint64_t operations = 0, answered = 0, lost_in_flight = 0, crashes = 0, log_stops = 0;
  std::uint64_t notifications = 0, sessions_expired = 0, retries = 0, reads = 0;
};

// One shard over its real log and engine, on a disk that forgets and fails, with clients that put, delete, follow and hold
// sessions while the process crashes and comes back. A model written from the protocol says what must have happened:
// nothing acknowledged is lost, nothing is invented, every answer is exactly what it must be, every change is told once, in
// order, sessions end when they must and not before.
class StoreSim final : private AppendListener {
 public:
  explicit StoreSim(StoreSimOptions options);
  StoreSimReport run();

 private:
  static constexpr Offset nowhere{std::numeric_limits<std::int64_t>::max()};
  // A write whose outcome is not yet judged, in the order proposed.
  struct Flight {
    Operation operation;
    replica::Ticket ticket;
    std::optional<Result<store::WriteOutcome>> answer;   // once taken from the ticket
    Offset offset() const { return ticket.offset(); }    // no_offset: not evaluated yet, or changes nothing
  };
  using FlightPtr = std::shared_ptr<Flight>;
  // What the log holds, as the sim saw it being appended.
  struct Logged {
    store::EntryKind kind{};
    std::vector<SessionId> sessions;   // that begin or end with it
  };

  // --- the story (store_sim.cpp)
  void live();
  void settle_down();
  bool boot();
  Task<> boot_task(std::optional<Result<>>& outcome);
  void start_tasks();
  void end_life();
  void resolve_after_crash();
  Task<> check_task(bool& done);
  Task<> stop_task(std::optional<Result<>>& outcome);

  // --- what goes on in a process (store_sim_clients.cpp)
  Task<> client(int number);
  Task<> retry_all();
  Task<> write(Operation operation);
  Task<> create_session();
  Task<> close_session();
  Task<> expiry();
  Task<> heartbeats();
  Task<> checkpoints();
  Task<> follow();
  void get();
  Task<> scan();
  Operation any_operation(int client);
  Bytes any_key();
  std::optional<SessionId> any_session();

  // --- judgement (store_sim_checks.cpp)
  void on_append(Offset offset, BytesView entry) override;
  void advance();
  bool advance_one();
  void apply_entry(Offset offset);
  void apply_write(Offset offset);
  bool changes_nothing_as_answered(const Flight& flight) const;
  static bool take_answer(Flight& flight);
  // What is wrong with an answer; empty when nothing is.
  static std::string judge(const Operation& operation, const store::WriteOutcome& expected, const store::WriteOutcome& found);
  void check_notifications();
  void compare_get(const store::Get& get, const store::GetOutcome& found);
  Task<> check_everything();
  void expired(SessionId session);
  template <class... Args>
  void note(const Args&... args);
  void fail_run(std::string what);
  bool up() const { return machine_.running() && machine_.shard() != nullptr && !stopped_; }

  const StoreSimOptions options_;
  World world_;
  Trace trace_;
  const store::KeyOrder order_;
  StoreModel model_;                    // what is committed
  StoreMachine machine_;
  StoreSimReport report_;

  std::deque<FlightPtr> in_flight_;
  std::map<Offset, Logged> logged_;     // above applied_
  Offset cut_ = nowhere;                // since the last crash: where the first new term began
  std::vector<Operation> retries_;      // with a request id, outcome unknown since a crash
  bool stopped_ = false;                // the log has stopped, the process must go
  bool quiet_ = false;                  // clients write no more
  Offset applied_ = no_offset;          // of the last entry in the model
  std::map<SessionId, TimePoint> heard_;   // since when at most each session has been silent
  std::map<SessionId, std::chrono::milliseconds> timeouts_;
  std::set<SessionId> kept_alive_, closing_;
  std::vector<std::pair<Offset, StoreModel::Notifications>> told_;   // by the model, in order, none empty
  std::vector<store::NotificationBatch> received_;
  std::size_t compared_ = 0;            // of received_
  Offset last_received_ = no_offset;
  std::uint64_t next_value_ = 0;
  std::map<int, std::uint64_t> next_request_;
};

}  // namespace skerry::sim
