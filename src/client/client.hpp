// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "base/result.hpp"
#include "client/change_follower.hpp"
#include "client/error.hpp"
#include "client/scan.hpp"
#include "client/sequence_follower.hpp"
#include "client/types.hpp"
#include "net/stream.hpp"
#include "runtime/core.hpp"

namespace skerry::client {

// A client of one namespace: routes by hash, batches and pipelines per shard, retries until the deadline, keeps sessions alive,
// merges what many shards answer in the namespace's key order.
//
// One core's. make() checks the options; start() begins to follow the assignments (operations may be called at once, they wait);
// stop() closes the sessions and every connection, and must have returned before the client is destroyed. Walks and followers
// that it handed out must be gone before it is.
//
// What is retried: reads always, and writes too where the server offers skerry.store.v1: each carries a request id, so that it
// happens once and every attempt brings the first answer. Where it speaks Oxia's protocol only, writes are retried as long as
// nothing was sent, or the server said that it did nothing; after that only those which may be repeated without harm (puts and
// deletes without expected version or sequence), and a plain delete that was retried counts as successful when the key is gone.
// The rest end with outcome_unknown. So does a write whose deadline passes after it was sent.
class Client {
 public:
  // Core and network must outlive it. Fails with invalid_argument and says which option is wrong.
  static Result<std::unique_ptr<Client>> make(Core& core, net::Network& network, ClientOptions options);
  ~Client();
  void start();
  Task<> stop();

  // Fails with unexpected_version_id, session_expired, outcome_unknown, deadline_exceeded, invalid_argument, …
  Task<Result<PutResult>> put(std::string key, std::string value, PutOptions options = {});
  // Fails with key_not_found. Comparisons other than equal, and indexes, ask every shard unless a partition key is given.
  Task<Result<Record>> get(std::string key, GetOptions options = {});
  // Fails with key_not_found, unexpected_version_id, …
  Task<Result<>> remove(std::string key, DeleteOptions options = {});
  // Deletes [start, end) on every shard (with a partition key: on its shard). Not atomic over shards. An empty end is an empty
  // range.
  Task<Result<>> remove_range(KeyRange range, DeleteOptions options = {});

  // All or nothing, on one shard. A condition that fails is no error: the result names it, and nothing was changed. Fails with
  // invalid_argument when the keys do not live on one shard, with unsupported where the server lacks skerry.store.v1, …
  Task<Result<BatchResult>> commit(AtomicBatch batch, BatchOptions options = {});

  // Keys, or whole records, in key order over all shards; nothing is asked before the first next(). No snapshot: each shard is
  // read as of some moment during the walk.
  std::unique_ptr<Scan> list(KeyRange range, RangeOptions options = {});
  std::unique_ptr<Scan> scan(KeyRange range, RangeOptions options = {});

  // Returns once every shard is followed: what is written after that will be seen.
  Task<Result<std::unique_ptr<ChangeFollower>>> follow_changes(FollowOptions options = {});
  // The highest key of a sequence, again and again when there is a higher one.
  std::unique_ptr<SequenceFollower> follow_sequence(std::string key, std::string partition_key);

  const ClientOptions& options() const;
  // Why servers can't be reached just now, for people; "" when all is well.
  std::string trouble() const;
  bool connected() const;   // whether assignments have come

 private:
  struct Members;
  explicit Client(std::unique_ptr<Members> members);
  std::unique_ptr<Members> members_;
};

}   // namespace skerry::client
