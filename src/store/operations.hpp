// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
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
  std::optional<std::chrono::milliseconds> time_to_live = {};   // the record goes so long after this write
  bool keep_expiry = false;                                // it goes when the record that it replaces would have gone
};

struct Delete {
  BytesView key;
  std::optional<VersionId> expected_version;
};

struct DeleteRange {   // half open, in key order; an empty end is an empty range
  BytesView start;
  BytesView end;
};

// What must be true before an atomic batch, or none of it takes place.
struct Guard {
  enum class Kind : std::uint8_t { exists = 0, absent = 1, version = 2 };
  BytesView key;
  Kind kind{};
  VersionId version{};   // of the record, for Kind::version
};

enum class Step : std::uint8_t { put = 0, erase = 1, erase_range = 2 };

// One atomic unit of visibility: puts, then deletes, then range deletions. Each has its own status.
// An atomic batch takes place as a whole or not at all: not when a guard or a condition of an operation fails. Each step takes
// the next operation of its kind; without steps the order is as above. Guards are about the state before the batch.
struct WriteRequest {
  std::span<const Put> puts;
  std::span<const Delete> deletes;
  std::span<const DeleteRange> delete_ranges;
  bool atomic = false;
  std::span<const Guard> guards = {};   // of an atomic batch only, as steps
  std::span<const Step> steps = {};
};

enum class Status : std::uint8_t { ok = 0, key_not_found = 1, unexpected_version_id = 2, session_does_not_exist = 3 };

struct Version {
  VersionId version_id{};
  std::int64_t modifications = 0;
  std::uint64_t created_millis = 0;
  std::uint64_t modified_millis = 0;
  std::optional<SessionId> session;
  std::optional<Bytes> client_identity;
  std::optional<std::uint64_t> expires_millis = {};   // when it is due to go
};

struct PutOutcome {
  Status status = Status::ok;
  Version version;   // when ok
  std::optional<Bytes> key;   // when the shard made the key
};

// Why an atomic batch did not take place: the first guard, or else the first operation, that failed.
struct Rejection {
  enum class Part : std::uint8_t { guard = 0, operation = 1 };
  Part part{};
  std::uint32_t position = 0;   // among the guards, or in the order of the operations
  Status status = Status::ok;   // of the operation
  std::optional<VersionId> found;   // version of the record under the key; nothing: there is none
  friend bool operator==(const Rejection&, const Rejection&) = default;
};

struct WriteOutcome {
  std::vector<PutOutcome> puts;
  std::vector<Status> deletes;
  std::vector<Status> delete_ranges;
  std::optional<Rejection> rejection = {};   // then the others are empty
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
  Bytes value;   // when asked for
  std::optional<Bytes> key;   // the record's key, unless the comparison was equal on the primary key
  std::optional<Bytes> secondary_key;   // when an index was used
};

// A place in a walk: at a record, named by its key and, in a walk over an index, its secondary key.
struct WalkPosition {
  Bytes key;
  std::optional<Bytes> secondary_key;
  bool inclusive = false;   // go on with the record itself, not after it
};

struct Range {   // [start, end) in key order, or in the index's order; empty means unbounded
  Bytes start;
  Bytes end;
  std::optional<Bytes> index;
  bool include_internal_keys = false;
  bool reverse = false;   // from the end to the start; not with internal keys
  std::optional<WalkPosition> resume = {};   // where an earlier walk over the same stopped; not with internal keys
};

}   // namespace skerry::store
