// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "client/backoff.hpp"
#include "client/error.hpp"
#include "client/shard_map.hpp"
#include "client/token_source.hpp"
#include "client/types.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"

namespace io::oxia::proto::v1 {
class ShardAssignments;
}

namespace skerry::client {

// Half of the time for which servers remember outcomes: a request that old is not sent again.
constexpr auto id_age_max = limits::request_window_age / 2;

std::string method(std::string_view name);   // of the store's public service, as it is called on the wire
std::string v1_method(std::string_view name);   // of skerry.store.v1.Store

// Knows the servers of one namespace: follows the assignments, owns the connections. Owned by a Client, on its core.
//
// One server at a time tells the assignments, and may be cut off from the cluster, or have left it. So another is asked where
// what they say has not come true and nothing new comes, and assignments that are older than those known are left alone: unless
// no server has any other.
class Cluster {
 public:
  Cluster(Core& core, net::Network& network, const ClientOptions& options, TokenSource token);   // the first three outlive it

  // Follows the assignments for good; a background task of the owner.
  Task<> follow();
  // Closes every connection; nothing may be called after it.
  Task<> stop();

  // Where a hash belongs; waits for the first assignments, and through gaps that a split may leave for a moment.
  Task<Result<ShardId>> route(std::uint32_t hash, Deadline deadline);
  // The same as far as it is known now.
  std::optional<ShardId> route_now(std::uint32_t hash) const;
  // All shards, once they cover every hash.
  Task<Result<std::vector<ShardId>>> all_shards(Deadline deadline);
  // The connection to the shard's leader; waits while an election is under way. Fails with shard_moved when the shard is
  // no more.
  Task<Result<rpc::Channel*>> leader(ShardId shard, Deadline deadline);

  bool has_shard(ShardId shard) const { return map_ && map_->find(shard) != nullptr; }
  bool covers_all_hashes() const { return map_ && map_->covers_all_hashes(); }
  bool has_map() const { return map_.has_value(); }
  std::string leader_address(ShardId shard) const;
  std::vector<ShardId> shards() const;
  std::vector<ShardMap::Shard> shard_ranges() const;   // a copy: the map may change at any await
  // From an answer that is no success: follows its hint, if it has one; else the assignments may be out of date.
  void learn(const Verdict& verdict);
  // This server was asked, and says nothing: another is asked for the assignments, at once if they come from it.
  void unanswered(const std::string& address);
  // Returns after the pause, or early when assignments change; never after the deadline.
  Task<> pause(Duration length, Deadline deadline);
  Signal& changed() { return changed_; }
  std::uint64_t revision() const { return revision_; }

  // Whether to try skerry.store.v1 at this address. Until found_plain() says that it isn't offered there; a connection that was
  // lost may come back to another program.
  bool may_offer_v1(const std::string& address) const { return options_.use_store_v1 && !plain_.contains(address); }
  void found_plain(const std::string& address) { plain_.insert(address); }
  void lost(const std::string& address) { plain_.erase(address); }
  // Batches draw theirs apart from the streams of writes, which count for each shard: both under names of their own.
  std::uint64_t next_batch_sequence() { return batch_sequence_++; }
  const std::string& request_client() const { return request_client_; }   // of request ids

  rpc::CallOptions call_options(Deadline deadline);
  // Why the servers can't be reached, for people; "" when all is well.
  const std::string& trouble() const { return trouble_; }
  const ClientOptions& options() const { return options_; }
  Core& core() { return core_; }

 private:
  Result<rpc::Channel*> channel(const std::string& address);
  Task<bool> follow_one(std::string address);
  Result<bool> take(const io::oxia::proto::v1::ShardAssignments& message);   // false: they are older than those known
  void doubt();
  void note_failure(const std::string& address, const Verdict& verdict);
  std::vector<std::string> candidates() const;
  Error unreachable(std::string_view what) const;
  void notify();

  Core& core_;
  net::Network& network_;
  const ClientOptions& options_;
  TokenSource token_;
  std::map<std::string, std::unique_ptr<rpc::Channel>> channels_;
  std::optional<ShardMap> map_;
  std::set<std::string> plain_;   // addresses that speak Oxia's protocol only
  const std::string request_client_;
  std::uint64_t batch_sequence_ = 0;
  std::optional<Error> refused_;   // the servers answer, and will have none of us
  std::string trouble_;
  Signal changed_;
  std::uint64_t revision_ = 0;

  // Due when the doubts have lasted.
  struct Doubt final : Timer {
    void on_due() override { give_up(); }
    void give_up() {
      if (call == nullptr) return;
      gave_up = true;
      call->cancel();
    }
    rpc::ClientCall* call = nullptr;   // that the assignments come from
    std::string address;   // the same
    bool gave_up = false;
  };
  Doubt doubt_;
  std::size_t turns_in_vain_ = 0;   // servers asked in a row that told nothing to be believed
};

}   // namespace skerry::client
