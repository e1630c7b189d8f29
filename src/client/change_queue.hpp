// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "client/types.hpp"
#include "oxia/client.pb.h"
#include "rpc/channel.hpp"
#include "runtime/event.hpp"
#include "skerry/store/v1/store.pb.h"

namespace skerry::client {

// Where the changes of all shards meet on their way to one follower. Bounded: a shard's task waits for room.
class ChangeQueue {
 public:
  struct Shard {
    std::uint32_t hash_min = 0, hash_max = 0;
    std::optional<Offset> received = std::nullopt;   // none: from now on, and "now" is not known yet
    bool ready = false;                     // the server has it, so nothing after this is missed
    rpc::ClientCall* call = nullptr;        // open, to be cancelled when the follower goes
    bool ended = false;                     // it is no more, and nothing of it is to come
  };

  // `prefixes`: what to ask for, as in FollowOptions.
  ChangeQueue(Core& core, std::size_t bytes_max, std::vector<std::string> prefixes = {})
      : bytes_max_(bytes_max), prefixes_(std::move(prefixes)), changed_(core) {}
  const std::vector<std::string>& prefixes() const { return prefixes_; }

  // Takes a batch in, unless it was received before.
  void push(ShardId shard, store::v1::NotificationBatch& batch);
  std::optional<Change> pop();
  bool has_room() const { return bytes_ < bytes_max_; }

  // Where a shard begins that took the hashes of these: where they stopped. Of two that were merged the earlier place, so that a
  // gap is told rather than a change left out. Nothing: from now on, as with them; of no shards: at the beginning.
  std::optional<Offset> start_after(const std::vector<ShardId>& predecessors) const;

  void fail(Error error);
  void close();
  bool closed() const { return closed_; }
  const std::optional<Error>& error() const { return error_; }
  bool all_ready() const;
  void set_ready(ShardId shard);
  void forget(ShardId shard);   // it is no more; its position stays, for its children

  std::map<ShardId, Shard>& shards() { return shards_; }
  const Positions& positions() const { return positions_; }
  Signal& changed() { return changed_; }

 private:
  struct Batch {
    ShardId shard;
    Offset offset;
    std::deque<Change> changes;
    std::size_t bytes = 0;
  };
  void finish_front();

  std::size_t bytes_max_;
  const std::vector<std::string> prefixes_;
  std::size_t bytes_ = 0;
  std::deque<Batch> batches_;
  std::map<ShardId, Shard> shards_;
  Positions positions_;
  std::optional<Error> error_;
  bool closed_ = false;
  Signal changed_;
};

}   // namespace skerry::client
