// SPDX-License-Identifier: Apache-2.0
#include "store/record.hpp"

#include <limits>

namespace skerry::store {
namespace {

constexpr std::uint8_t record_format = 1;
enum RecordFlag : std::uint8_t {
  record_has_modified = 1,
  record_has_session = 2,
  record_has_client_identity = 4,
  record_has_partition_key = 8,
  record_has_indexes = 16,
  record_has_expiry = 32,
  record_flags_all = 63
};

std::int64_t take_number(ByteReader& reader) {
  const std::uint64_t value = reader.varint();
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) reader.fail();
  return static_cast<std::int64_t>(value);
}

// Walks over the list, so that indexes() can trust it later.
BytesView take_indexes(ByteReader& reader) {
  const BytesView start = reader.rest();
  const std::uint64_t count = reader.varint();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    reader.sized();
    reader.sized();
  }
  return reader.ok() ? start.substr(0, start.size() - reader.rest().size()) : BytesView{};
}

}  // namespace

std::vector<SecondaryIndex> RecordView::indexes() const {
  std::vector<SecondaryIndex> indexes;
  if (indexes_encoded.empty()) return indexes;
  ByteReader reader(indexes_encoded);
  const std::uint64_t count = reader.varint();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    const BytesView name = reader.sized();
    const BytesView key = reader.sized();
    if (reader.ok()) indexes.push_back({name, key});
  }
  return indexes;
}

Version RecordView::version() const {
  Version version{version_id, modifications, created.millis(), modified.millis(), session, std::nullopt, expires_millis};
  if (client_identity) version.client_identity.emplace(*client_identity);
  return version;
}

Result<RecordView> decode_record(BytesView encoded) {
  ByteReader reader(encoded);
  if (const auto format = reader.little_endian<std::uint8_t>(); reader.ok() && format != record_format)
    return fail(Errc::corrupt, "record of unknown format " + std::to_string(format));
  const auto flags = reader.little_endian<std::uint8_t>();
  RecordView record;
  record.version_id = VersionId(take_number(reader));
  record.modifications = take_number(reader);
  record.created = Stamp(reader.little_endian<std::uint64_t>());
  record.modified = flags & record_has_modified ? Stamp(reader.little_endian<std::uint64_t>()) : record.created;
  if (flags & record_has_session) record.session = SessionId(take_number(reader));
  if (flags & record_has_client_identity) record.client_identity = reader.sized();
  if (flags & record_has_partition_key) record.partition_key = reader.sized();
  if (flags & record_has_indexes) record.indexes_encoded = take_indexes(reader);
  if (flags & record_has_expiry) record.expires_millis = reader.little_endian<std::uint64_t>();
  record.value = reader.rest();
  if (!reader.ok() || flags & ~record_flags_all) return fail(Errc::corrupt, "record header cut short or of unknown flags");
  return record;
}

void append_record(const RecordView& record, std::span<const SecondaryIndex> indexes, Bytes& out) {
  constexpr std::size_t head_bytes = 64;   // of most records
  const bool modified = record.modified != record.created;
  out.reserve(out.size() + head_bytes + record.value.size());
  append_little_endian(out, record_format);
  append_little_endian(
      out, static_cast<std::uint8_t>(
               (modified ? record_has_modified : 0) | (record.session ? record_has_session : 0) |
               (record.client_identity ? record_has_client_identity : 0) | (record.partition_key ? record_has_partition_key : 0) |
               (indexes.empty() ? 0 : record_has_indexes) | (record.expires_millis ? record_has_expiry : 0)));
  append_varint(out, static_cast<std::uint64_t>(record.version_id.value()));
  append_varint(out, static_cast<std::uint64_t>(record.modifications));
  append_little_endian(out, record.created.value());
  if (modified) append_little_endian(out, record.modified.value());
  if (record.session) append_varint(out, static_cast<std::uint64_t>(record.session->value()));
  if (record.client_identity) append_sized(out, *record.client_identity);
  if (record.partition_key) append_sized(out, *record.partition_key);
  if (!indexes.empty()) append_varint(out, indexes.size());
  for (const SecondaryIndex& index : indexes) {
    append_sized(out, index.name);
    append_sized(out, index.key);
  }
  if (record.expires_millis) append_little_endian(out, *record.expires_millis);
  out.append(record.value);
}

}  // namespace skerry::store
