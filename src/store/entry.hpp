// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "store/engine.hpp"
#include "store/notification.hpp"

namespace skerry::store {

// A log entry: the outcome of an evaluation, applied blindly by every replica and read by followers of changes.
//
// Format 1, integers little endian, varint as in base/bytes.hpp:
//   u8 format, u8 kind, varint flags, u64 stamp, varint next version id, [sized client, varint sequence, sized reply], effects…
//   effect: u8 (action | space << 2 | notification << 5), sized key, [sized value]
//     action 0 marks a sequence prefix, 1 puts, 2 erases, 3 erases the range [key, value); 1 and 3 have a value
//     notification 0 is none, otherwise its kind + 1
// Nothing refers back to state: whoever has the entry has all that it changes.
enum class EntryKind : std::uint8_t {
  write = 1,
  barrier = 2,           // the first of a term; it may have been made before earlier entries were applied
  create_session = 3,
  end_sessions = 4,
  sweep = 5,
  expire = 6,            // deletes records whose time has come
};

// A request that may be retried, and what it was answered (reply.hpp).
struct RememberedRequest {
  BytesView client;
  std::uint64_t sequence = 0;
  BytesView reply;
};

struct EntryHeader {
  EntryKind kind{};
  bool atomic = false;             // all operations of the request took place or none
  Stamp stamp;
  VersionId next_version_id{};     // after this entry; the shard's counter never falls
  std::optional<RememberedRequest> request;
};

struct Effect {
  enum class Action : std::uint8_t { sequence = 0, put = 1, erase = 2, erase_range = 3 };
  Action action{};
  Space space{};
  std::optional<NotificationKind> notification;   // only in Space::records
  BytesView key;                                  // sequence: the prefix, not encoded
  BytesView value;                                // put: the value; erase_range: the end, exclusive
};

struct Entry {   // borrows from the encoded bytes
  EntryHeader header;
  std::vector<Effect> effects;
};

// Checks everything before it returns anything; fails with corrupt. Safe on any bytes.
Result<Entry> decode_entry(BytesView encoded);
// For those who need no effects, such as a leader that looks for the last stamp of its log.
Result<EntryHeader> decode_entry_header(BytesView encoded);

void append_effect(const Effect& effect, Bytes& effects);
Bytes encode_entry(const EntryHeader& header, BytesView effects);

}  // namespace skerry::store
