// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "store/key_order.hpp"
#include "store/operations.hpp"

// What the client library takes and gives, free of any wire format.
namespace skerry::client {

using store::Comparison;
using store::KeyOrder;
using store::must_not_exist;

struct ClientOptions {
  std::vector<std::string> addresses{"localhost:6648"};   // any servers of the cluster: tried in turn for assignments
  std::string name_space = "default";
  std::string identity = {};             // stored with ephemeral records; "": made from chance at start
  std::string auth_token = {};           // sent as "authorization: Bearer …" when not empty
  KeyOrder key_order = KeyOrder::hierarchical;   // must be the namespace's own: it is how answers of many shards are merged

  Duration request_timeout = 30s;   // where an operation names no deadline of its own
  Duration session_timeout = 15s;   // of ephemeral records; 2 s to 5 min
  std::function<void(ShardId)> on_session_lost = {};   // its ephemeral records are gone; called on the client's core
  // No server has answered for a second since the start; once, with the reason, on the client's core. It goes on trying.
  std::function<void(const std::string&)> on_unreachable = {};

  std::size_t batch_operations_max = 1000;
  std::size_t batch_bytes_max = 128 << 10;        // a larger operation travels alone
  std::size_t batches_in_flight_max = 4;   // a shard, for writes and for reads each; more operations wait and form batches
  std::size_t pending_operations_max = 100'000;   // over all shards; then callers wait
  std::size_t pending_bytes_max = 64 << 20;
  std::size_t scan_bytes_buffered_max = 8 << 20;   // unread notifications of one follower, over all shards
  Duration retry_pause_min = 20ms, retry_pause_max = 1s;
};

struct Version {
  VersionId version_id{};
  std::int64_t modifications = 0;   // 0 when the record was created by this version
  WallTime created, modified;
  std::optional<SessionId> session;   // of an ephemeral record
  std::string client_identity;
  friend bool operator==(const Version&, const Version&) = default;
};

struct Record {
  std::string key;
  std::string value;
  Version version;
  std::optional<std::string> secondary_key;   // where an index was used and the server tells
};

struct IndexKey {
  std::string name;
  std::string key;
};

enum class Ephemeral : bool { no, yes };   // yes: the record goes when this client's session ends
enum class Values : bool { no, yes };
enum class InternalKeys : bool { hidden, shown };

struct PutOptions {
  std::optional<VersionId> expected_version = {};   // must_not_exist: only when there is no such record
  Ephemeral ephemeral = Ephemeral::no;
  std::optional<std::string> partition_key = {};   // decides the shard in place of the key
  std::vector<std::uint64_t> sequence_deltas = {};   // not empty: the server appends numbers to the key; needs a partition key
  std::vector<IndexKey> indexes = {};
  std::optional<VersionId> override_version = {};   // migration: stored as given, the shard's counter stays
  std::optional<std::int64_t> override_modifications = {};
  std::optional<Deadline> deadline = {};
};

struct PutResult {
  std::string key;   // with the numbers that a sequence added
  Version version;
};

struct GetOptions {
  Comparison comparison = Comparison::equal;
  Values values = Values::yes;
  std::optional<std::string> index = {};   // compare in this index's keys
  std::optional<std::string> partition_key = {};
  std::optional<Deadline> deadline = {};
};

struct DeleteOptions {
  std::optional<VersionId> expected_version = {};
  std::optional<std::string> partition_key = {};
  std::optional<Deadline> deadline = {};
};

// [start, end) in the namespace's key order; an empty end is unbounded for lists and scans.
struct KeyRange {
  std::string start = {};
  std::string end = {};
};

struct RangeOptions {
  std::optional<std::string> index = {};
  std::optional<std::string> partition_key = {};   // ask only the shard of this partition key
  InternalKeys internal_keys = InternalKeys::hidden;
  std::optional<Deadline> deadline = {};   // for the whole walk; none: each step has the request timeout
};

enum class ChangeKind : std::uint8_t { created = 0, modified = 1, deleted = 2, range_deleted = 3 };

struct Change {
  ShardId shard;
  Offset offset;
  WallTime time;
  ChangeKind kind{};
  std::string key;   // range_deleted: the start of the range
  std::optional<VersionId> version_id;   // created, modified
  std::string range_end;   // range_deleted, exclusive
};

// The last change of each shard that its holder has seen.
using Positions = std::map<ShardId, Offset>;

struct FollowOptions {
  // Continue after these. A shard that is not named is followed from now on.
  Positions after = {};
  std::optional<Deadline> deadline = {};   // for reaching every shard at the start
};

}   // namespace skerry::client
