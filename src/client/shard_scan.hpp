// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>

#include "client/cluster.hpp"
#include "client/scan.hpp"

namespace skerry::client {

// One shard's part of a walk. Buffers one message of the server. When the call breaks it is made again: where the server offers
// skerry.store.v1, with a page token; else over the primary keys from the last key on, over an index only while nothing had come.
class ShardScan {
 public:
  enum class Merged : bool { no, yes };   // yes: with other shards, in the order that the client takes for the namespace's
  ShardScan(Cluster& cluster, ShardId shard, const KeyRange& range, const RangeOptions& options, Scan::Kind kind, Merged merged);

  // Sends the request, if it is not under way, without waiting for answers.
  Task<Result<>> open(Deadline deadline);
  // Has a record ready, or knows that there is none.
  Task<Result<>> fill(Deadline deadline);
  bool empty() const { return buffer_.empty(); }
  const Record& front() const { return buffer_.front(); }
  Record pop();

 private:
  Task<bool> read_chunk();
  Result<> choose_service();
  bool takes_tokens() const;
  Result<std::string> resume_token() const;
  Task<Result<>> recover(Verdict verdict, Deadline deadline);
  void accept(Record record);
  template <class Request>
  Result<Request> request() const;

  Cluster& cluster_;
  ShardId shard_;
  const KeyRange& range_;   // of the Scan that owns us
  const RangeOptions& options_;
  Scan::Kind kind_;
  const bool merged_;
  std::unique_ptr<rpc::ClientCall> call_;
  std::deque<Record> buffer_;
  std::optional<std::string> last_;   // the last key that came
  std::optional<std::string> last_secondary_;
  std::optional<std::string> first_;   // where a page begins, for servers that take no tokens
  std::string address_;
  bool uses_v1_ = false;
  bool ended_ = false;
  Backoff backoff_;
};

}   // namespace skerry::client
