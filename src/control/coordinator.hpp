// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "control/config_file.hpp"
#include "control/coordinator_core.hpp"
#include "control/metadata.hpp"
#include "net/stream.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::control {

// A coordinator: waits for its office, then carries out what a CoordinatorCore decides, until another takes over; then waits
// again. One core's.
class Coordinator {
 public:
  struct Parts {
    Core& core;
    net::Network& network;   // to the servers
    Metadata& metadata;
    Logger logger;
    std::function<void(Error)> give_up;   // the status can't be used: the process should end
  };
  explicit Coordinator(Parts parts);
  ~Coordinator();
  void start();
  Task<> stop();

  // What people want now. Tells what has to be stored until it is certain. Fails with invalid_argument when it can't be followed,
  // with unavailable out of office.
  Result<CommitNumber> configure(ClusterConfig config);

  // The cluster's, as it is kept, in office and out of it. Nothing: there is none, or none is known here.
  const std::optional<ConfigFile::Stored>& configuration();

  // Null: not in office. Valid until the next await.
  CoordinatorCore* in_office();
  // Carries out what an event given to in_office() has brought about. Call it after each.
  void act();
  // The same, in the next turn: for destructors.
  void act_soon();
  // Returns once the commit is certain; fails with deadline_exceeded when this process leaves office before.
  Task<Result<>> wait_stored(CommitNumber number);
  // Returns when something was stored, or this process has entered or left office.
  Task<> wait_changed() { co_await changed_.wait(); }
  std::string holder() const { return parts_.metadata.holder(); }   // of the office; see Metadata
  std::int64_t epoch() const { return epoch_; }   // of the last term of office; 0: there was none

 private:
  class Office;
  Task<> serve();
  Task<bool> serve_once();

  Parts parts_;
  std::string kept_yaml_;   // what `kept_` was read from
  std::optional<ConfigFile::Stored> kept_;
  std::unique_ptr<Office> office_;
  std::int64_t epoch_ = 0;
  WaitList changed_;   // something was stored, or the office is taken or lost
  TaskScope tasks_;
};

}   // namespace skerry::control
