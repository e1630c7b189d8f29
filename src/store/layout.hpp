// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "store/key_order.hpp"

// How the shard's own tables are laid out in their spaces. Records are in record.hpp, log entries in entry.hpp.
namespace skerry::store {

// Index entries, shadows and expiries hold the stamp of the entry that wrote their record (RecordView::modified). One whose
// record is gone or has another stamp is an orphan, left behind by a range deletion. The stamp and not the version id, because a
// migration may give a later record the version id of an earlier one.
Bytes encode_owner(Stamp record_modified);
Result<Stamp> decode_owner(BytesView value);

// Space::indexes: the index's name, zero-escaped and closed, so that no name is the start of another; then
// "SECONDARY \x01 escaped PRIMARY" in the order that it has in Oxia, below "__oxia/idx/NAME/".
Bytes index_prefix(BytesView name);
Bytes index_entry_key(KeyOrder order, BytesView name, BytesView secondary, BytesView primary);
// Where a range over an index starts or ends.
Bytes index_bound(KeyOrder order, BytesView name, BytesView secondary);
struct IndexEntry {
  Bytes name;
  Bytes secondary;
  Bytes primary;
};
Result<IndexEntry> decode_index_entry(KeyOrder order, BytesView key);

// Space::sessions: session id, big endian.
Bytes session_key(SessionId session);
Result<SessionId> decode_session_key(BytesView key);
struct SessionRecord {
  std::chrono::milliseconds timeout{};
  Bytes client_identity;
  VersionId version_id{};   // creating a session takes one
  Stamp created;
  bool ending = false;   // refuses puts; its records are being deleted, over several entries
};
Bytes encode_session(const SessionRecord& session);
Result<SessionRecord> decode_session(BytesView value);

// Space::shadows: session id, big endian, then the path-escaped key of its record: the order of their names in Oxia.
Bytes shadow_key(SessionId session, BytesView key);
struct Shadow {
  SessionId session;
  Bytes key;
};
Result<Shadow> decode_shadow_key(BytesView key);

// Space::expiries: milliseconds since the epoch when the record is due to go, big endian, then its key as it is: whatever is due
// stands in front. The value is the owner's stamp, as of shadows.
Bytes expiry_key(std::uint64_t due_millis, BytesView key);
struct Expiry {
  std::uint64_t due_millis = 0;
  Bytes key;
};
Result<Expiry> decode_expiry_key(BytesView key);

// Space::requests: each client has a ring of slots, so a new reply takes the place of one a window's length older.
Bytes request_slot_key(BytesView client, std::uint64_t sequence);
struct RequestSlot {
  std::uint64_t sequence = 0;
  Stamp stamp;
  BytesView reply;
};
Bytes encode_request_slot(const RequestSlot& slot);
Result<RequestSlot> decode_request_slot(BytesView value);   // borrows

// Space::meta.
constexpr BytesView meta_counters = "counters";   // Counters, rewritten by every entry
constexpr BytesView meta_term = "term";   // varint; of the last barrier applied
constexpr BytesView meta_swept = "swept";   // u64 stamp: what range deletions up to here orphaned is gone
struct Counters {
  Stamp last_stamp;
  VersionId next_version_id{};
  Stamp last_range_deletion;   // zero: none so far
};
Bytes encode_counters(const Counters& counters);
Result<Counters> decode_counters(BytesView value);
Bytes encode_swept(Stamp stamp);
Result<Stamp> decode_swept(BytesView value);
Bytes encode_term(Term term);
Result<Term> decode_term(BytesView value);

}   // namespace skerry::store
