// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

// What a client may ask of one shard and what it is told, free of any wire format. Requests borrow their bytes from the
// message they came in; outcomes own theirs.
namespace skerry::store {

constexpr VersionId must_not_exist{-1};   // as an expected version id

struct SecondaryIndex {
  BytesView name;
  BytesView key;
};

struct Put {
  BytesView key;
  BytesView value;
  std::optional<VersionId> expected_version;
  std::optional<SessionId> session;          // makes the record ephemeral
  std::optional<BytesView> client_identity;
  std::optional<BytesView> partition_key;
  std::span<const std::uint64_t> sequence_deltas;   // not empty: `key` is a prefix and the shard makes the key
  std::span<const SecondaryIndex> indexes;
  std::optional<VersionId> override_version;        // migration: stored as given, the counter stays
  std::optional<std::int64_t> override_modifications;
};

struct Delete {
  BytesView key;
  std::optional<VersionId> expected_version;
};

struct DeleteRange {   // half open, in key order; an empty end is an empty range
  BytesView start;
  BytesView end;
};

// One atomic unit of visibility: puts, then deletes, then range deletions. Each has its own status.
struct WriteRequest {
  std::span<const Put> puts;
  std::span<const Delete> deletes;
  std::span<const DeleteRange> delete_ranges;
};

enum class Status : std::uint8_t { ok = 0, key_not_found = 1, unexpected_version_id = 2, session_does_not_exist = 3 };

struct Version {
  VersionId version_id{};
  std::int64_t modifications = 0;
  std::uint64_t created_millis = 0;
  std::uint64_t modified_millis = 0;
  std::optional<SessionId> session;
  std::optional<Bytes> client_identity;
};

struct PutOutcome {
  Status status = Status::ok;
  Version version;               // when ok
  std::optional<Bytes> key;      // when the shard made the key
};

struct WriteOutcome {
  std::vector<PutOutcome> puts;
  std::vector<Status> deletes;
  std::vector<Status> delete_ranges;
};

enum class Comparison : std::uint8_t { equal = 0, floor = 1, ceiling = 2, lower = 3, higher = 4 };

struct Get {
  BytesView key;
  Comparison comparison = Comparison::equal;
  bool include_value = true;
  std::optional<BytesView> index;   // compare in this index's keys
};

struct GetOutcome {
  Status status = Status::ok;
  Version version;
  Bytes value;                          // when asked for
  std::optional<Bytes> key;             // the record's key, unless the comparison was equal on the primary key
  std::optional<Bytes> secondary_key;   // when an index was used
};

struct Range {   // [start, end) in key order, or in the index's order; empty means unbounded
  Bytes start;
  Bytes end;
  std::optional<Bytes> index;
  bool include_internal_keys = false;
};

}  // namespace skerry::store
