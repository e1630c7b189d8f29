// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "store/operations.hpp"

namespace skerry::store {

// One record as it is stored, borrowed from its encoded bytes. Decoding allocates nothing and does not touch the value, so it
// is also the way to look at the header alone.
//
// Format 1, integers little endian, varint as in base/bytes.hpp:
//   u8 format, u8 flags, varint version id, varint modifications, u64 created stamp, [u64 modified stamp],
//   [varint session], [sized client identity], [sized partition key], [varint count, (sized name, sized key)…],
//   [u64 milliseconds since the epoch when it is due to go], value
// The modified stamp is absent when it equals the created one.
struct RecordView {
  VersionId version_id{};
  std::int64_t modifications = 0;
  Stamp created;
  Stamp modified;   // the stamp of the entry that wrote it: tells it from every other record ever stored under its key
  std::optional<SessionId> session;
  std::optional<BytesView> client_identity;
  std::optional<BytesView> partition_key;
  BytesView indexes_encoded;
  std::optional<std::uint64_t> expires_millis = {};
  BytesView value;

  std::vector<SecondaryIndex> indexes() const;
  Version version() const;
};

Result<RecordView> decode_record(BytesView encoded);
// `indexes` are encoded in the given order; record.indexes_encoded is not looked at.
void append_record(const RecordView& record, std::span<const SecondaryIndex> indexes, Bytes& out);

}  // namespace skerry::store
