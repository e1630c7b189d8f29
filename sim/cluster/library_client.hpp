// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/client.hpp"
#include "sim/cluster/change_log.hpp"
#include "sim/cluster/machines.hpp"

namespace skerry::sim {

// A program on a machine of its own that uses the store through the client library: it puts and reads, keeps ephemeral records,
// and follows all changes. What it is told of records goes into the history; of its sessions and of changes it says itself what
// can't have been.
class LibraryClient final : public Machine {
 public:
  enum class Deaf : std::uint8_t { no, to_some_changes, to_lost_sessions };   // mistakes made on purpose
  struct Parts {
    World& world;
    net::testing::MemoryFabric& fabric;
    LogRegistry& log;
    History& history;
    std::vector<std::string> servers;
    Deaf deaf = Deaf::no;
    std::function<control::HashRange(ShardId)> hashes_of;
  };
  struct Figures {
    std::uint64_t puts = 0, unknown = 0, gets = 0, ephemerals = 0, sessions_lost = 0;
  };
  explicit LibraryClient(Parts parts);
  ~LibraryClient() override { end(); }

  void rest();   // asks nothing more
  bool at_rest() const { return workers_ == 0; }
  // Once at rest and all is well: sees that its ephemeral records are there, ends its sessions, and stops.
  void finish();
  bool finished() const { return finished_; }

  std::string violation() const;   // what can't have been; empty when all is well
  std::string missed_changes() const { return changes_.violation(parts_.history, follows_since_); }   // empty: it was told of all
  std::vector<std::string> ephemeral_keys() const;   // that it has put
  const Figures& figures() const { return figures_; }
  const ChangeLog& changes() const { return changes_; }

 private:
  struct Ephemeral {
    VersionId version;
    bool sure;   // that it is there while its session lasts
  };

  Task<Result<>> open() override;
  void drop() override;
  Task<> work(std::uint64_t number);
  std::uint64_t mine(std::uint64_t worker, std::uint64_t keys);
  Task<> put(std::string key, std::string value);
  Task<> get(std::string key);
  Task<> put_ephemeral(std::string key);
  bool hears();
  Task<> follow();
  Task<> follow_from_now(client::ChangeFollower& follower);
  Task<> end_well();
  Task<> see(std::string key);
  void on_session_lost(ShardId shard);
  void fail(std::string why);
  TimePoint now() const { return parts_.world.clock.now(); }

  const Parts parts_;
  std::unique_ptr<client::Client> client_;
  std::map<std::string, Ephemeral> ephemerals_;
  ChangeLog changes_;
  TimePoint follows_since_ = TimePoint::max();
  std::uint64_t asked_ = 0;
  std::uint64_t workers_ = 0;
  bool keeps_sessions_ = false;   // then the halves of a split are not merged again before they have ended
  bool resting_ = false, stopping_ = false, finished_ = false;
  std::string violation_;
  Figures figures_;
};

}   // namespace skerry::sim
