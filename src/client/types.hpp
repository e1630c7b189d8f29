// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "net/tls.hpp"
#include "store/key_order.hpp"
#include "store/operations.hpp"

// What the client library takes and gives, free of any wire format.
namespace skerry::client {

using store::Comparison;
using store::KeyOrder;
using store::must_not_exist;

struct ClientOptions {
  // Any servers of the cluster, tried in turn for assignments: host:port, or tls://host:port.
  std::vector<std::string> addresses{"localhost:6648"};
  std::string name_space = "default";
  std::string identity = {};             // stored with ephemeral records; "": made from chance at start
  std::string auth_token = {};           // sent as "authorization: Bearer …" when not empty
  std::string auth_token_file = {};      // or what stands in this file, read again when it changes
  // Connect with TLS. Addresses that begin with tls:// say so too; certificates are read again when they change.
  std::optional<net::TlsOptions> tls = {};
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
  // Use skerry.store.v1 where the server offers it: writes carry request ids, so that repeating one does it once. What needs it
  // fails with unsupported where a server speaks Oxia's protocol only.
  bool use_store_v1 = true;
};

struct Version {
  VersionId version_id{};
  std::int64_t modifications = 0;   // 0 when the record was created by this version
  WallTime created, modified;
  std::optional<SessionId> session;   // of an ephemeral record
  std::optional<WallTime> expires;   // of one with a time to live; told by puts and by scans
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
enum class Expiry : bool { replace, keep };   // keep: a record that is replaced hands its own on
enum class Direction : bool { forward, backward };

struct PutOptions {
  std::optional<VersionId> expected_version = {};   // must_not_exist: only when there is no such record
  Ephemeral ephemeral = Ephemeral::no;
  std::optional<std::string> partition_key = {};   // decides the shard in place of the key
  std::vector<std::uint64_t> sequence_deltas = {};   // not empty: the server appends numbers to the key; needs a partition key
  std::vector<IndexKey> indexes = {};
  std::optional<VersionId> override_version = {};   // migration: stored as given, the shard's counter stays
  std::optional<std::int64_t> override_modifications = {};
  std::optional<std::chrono::milliseconds> time_to_live = {};   // the record goes so long after this write; 100 ms to 10 years
  Expiry expiry = Expiry::replace;
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
  Direction direction = Direction::forward;
  std::optional<std::uint64_t> limit = {};   // end after so many; Scan::page_token() tells how to go on
  std::string page_token = {};   // go on where a walk over the same range, index and direction ended
  std::optional<Deadline> deadline = {};   // for the whole walk; none: each step has the request timeout
};

// gap: what the entries from missing_from to offset changed is not kept any more. Read anew what matters.
enum class ChangeKind : std::uint8_t { created = 0, modified = 1, deleted = 2, range_deleted = 3, gap = 4 };

struct Change {
  ShardId shard;
  Offset offset;
  WallTime time;
  ChangeKind kind{};
  std::string key;   // range_deleted: the start of the range
  std::optional<VersionId> version_id;   // created, modified
  std::string range_end;   // range_deleted, exclusive
  Offset missing_from = no_offset;   // gap
};

// The last change of each shard that its holder has seen.
using Positions = std::map<ShardId, Offset>;

struct FollowOptions {
  // Continue after these. A shard that is not named is followed from now on. Those that a named one was split or merged into
  // since are followed from its position; where several named ones are no more, from the earliest, so that changes may be told
  // again.
  Positions after = {};
  // Only changes of keys that start with one of these; deleted ranges are told always. None: all changes.
  std::vector<std::string> prefixes = {};
  std::optional<Deadline> deadline = {};   // for reaching every shard at the start
};

// Operations that take place together or not at all, in this order, on one shard: all keys need the same one, by themselves or by
// the partition key of BatchOptions. Conditions are about the state before the batch, those of an operation about what it meets.
//   client.commit(AtomicBatch().if_absent("/lock").put("/lock", "me").remove("/queue/1"));
class AtomicBatch {
 public:
  struct Condition {
    enum class Kind : std::uint8_t { exists, absent, version };
    Kind kind{};
    std::string key;
    VersionId version{};
  };
  struct Put {
    std::string key, value;
    PutOptions options;   // without partition key and deadline
  };
  struct Remove {
    std::string key;
    std::optional<VersionId> expected_version;
  };
  using Operation = std::variant<Put, Remove, KeyRange>;

  AtomicBatch& if_exists(std::string key) { return guard({Condition::Kind::exists, std::move(key), {}}); }
  AtomicBatch& if_absent(std::string key) { return guard({Condition::Kind::absent, std::move(key), {}}); }
  AtomicBatch& if_version(std::string key, VersionId version) {
    return guard({Condition::Kind::version, std::move(key), version});
  }
  AtomicBatch& put(std::string key, std::string value, PutOptions options = {}) {
    return add(Put{std::move(key), std::move(value), std::move(options)});
  }
  // A record that is not there is no failure, unless a version is expected.
  AtomicBatch& remove(std::string key, std::optional<VersionId> expected_version = {}) {
    return add(Remove{std::move(key), expected_version});
  }
  AtomicBatch& remove_range(KeyRange range) { return add(std::move(range)); }

  const std::vector<Condition>& conditions() const { return conditions_; }
  const std::vector<Operation>& operations() const { return operations_; }

 private:
  AtomicBatch& guard(Condition condition) { return conditions_.push_back(std::move(condition)), *this; }
  AtomicBatch& add(Operation operation) { return operations_.push_back(std::move(operation)), *this; }

  std::vector<Condition> conditions_;
  std::vector<Operation> operations_;
};

struct BatchOptions {
  std::optional<std::string> partition_key = {};   // of all keys of the batch
  std::optional<Deadline> deadline = {};
};

// What came of one operation of a batch that took place.
struct OperationResult {
  std::optional<PutResult> put;   // of a put
  bool found = true;   // of a remove: whether there was a record
};

// Why a batch did not take place.
struct BatchRejection {
  enum class Part : std::uint8_t { condition, operation };
  Part part{};
  std::size_t position = 0;   // among the conditions, or the operations
  std::string key;
  std::optional<VersionId> found;   // version of the record under the key; none: there is none
  bool session_expired = false;   // an ephemeral put's
};

struct BatchResult {
  std::vector<OperationResult> results;   // one for each operation, in order
  std::optional<BatchRejection> rejection;   // then nothing was changed
};

}   // namespace skerry::client
