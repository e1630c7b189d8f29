// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/types.hpp"
#include "runtime/task.hpp"
#include "store/page_token.hpp"

namespace skerry::client {

class Cluster;
class ShardScan;

// Walks over the keys or records of a range in key order, merged from all shards it touches. Pull: nothing runs between two
// calls of next(), and dropping it ends the calls behind it. Lives shorter than its client.
class Scan {
 public:
  enum class Kind : bool { keys, records };
  Scan(Cluster& cluster, KeyRange range, RangeOptions options, Kind kind);
  ~Scan();

  // The next record (for a list only its key is filled in); nothing at the end. After an error the walk is over.
  Task<Result<std::optional<Record>>> next();
  // After the end: what RangeOptions::page_token takes, when the limit has left something over; else empty.
  const std::string& page_token() const { return page_token_; }

 private:
  struct Head {
    std::string sort_key;
    ShardId id;           // equal keys, on shards that partition keys decide, come in order of shard
    std::size_t shard;
  };
  bool later(const Head& a, const Head& b) const;
  Task<Result<>> end_page();
  Task<Result<>> start();
  Task<Result<std::optional<Record>>> step();
  Task<Result<>> begin_again(Deadline deadline);
  Task<Result<>> advance(std::size_t shard);   // puts the shard's next record among the heads
  Deadline step_deadline() const;

  Cluster& cluster_;
  KeyRange range_;
  RangeOptions options_;
  Kind kind_;
  std::vector<std::unique_ptr<ShardScan>> shards_;
  std::vector<Head> heads_;                    // a heap, lowest key on top
  std::optional<std::size_t> taken_;           // the shard whose record was handed out last
  std::vector<ShardId> ids_;
  std::uint64_t handed_out_ = 0;
  std::optional<store::PagePosition> position_;   // of the record handed out last
  std::string page_token_;
  bool started_ = false;
  bool ended_ = false;
};

// The range as page tokens know it.
store::Range walk_of(const KeyRange& range, const RangeOptions& options);

// What decides the place of a record in a merged walk: exactly the order in which a single shard keeps it.
std::string sort_key(KeyOrder order, const RangeOptions& options, const Record& record);

}  // namespace skerry::client
