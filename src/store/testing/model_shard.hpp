// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <set>

#include "store/key_order.hpp"
#include "store/operations.hpp"

namespace skerry::store::testing {

// What a shard must do, in the plainest way: one map of records, everything else worked out from it each time. No overlay, no
// derived tables, no effects.
class ModelShard {
 public:
  struct Record {
    Bytes key;
    Version version;
    Bytes value;
    std::vector<std::pair<Bytes, Bytes>> indexes;   // name, secondary key
  };

  explicit ModelShard(KeyOrder order) : order_(order) {}

  // Nothing when the whole request must be refused.
  std::optional<WriteOutcome> write(const WriteRequest& request, std::uint64_t millis);
  void create_session(SessionId session);
  void end_session(SessionId session);

  GetOutcome get(const Get& get) const;
  std::vector<GetOutcome> scan(const Range& range) const;
  std::optional<Bytes> highest_sequence_key(BytesView prefix) const;
  std::int64_t next_version() const { return next_version_; }

 private:
  bool expected(std::optional<VersionId> wanted, const Record* existing) const;
  std::optional<WriteOutcome> write_atomic(const WriteRequest& request, std::uint64_t millis);
  std::optional<PutOutcome> put(const Put& put, std::uint64_t millis);
  std::optional<Bytes> sequence_key(const Put& put) const;
  const Record* find(BytesView key) const;
  struct Entry {
    Bytes sorted;   // the position in the index
    Bytes secondary;
    const Record* record;
  };
  std::vector<Entry> index(BytesView name) const;
  Bytes part(BytesView text) const;

  KeyOrder order_;
  std::map<Bytes, Record> records_;   // by encoded key
  std::set<SessionId> sessions_;
  std::int64_t next_version_ = 0;
};

}  // namespace skerry::store::testing
