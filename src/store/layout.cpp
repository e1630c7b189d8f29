// SPDX-License-Identifier: Apache-2.0
#include "store/layout.hpp"

#include "base/limits.hpp"
#include "store/path_escape.hpp"

namespace skerry::store {
namespace {

constexpr std::uint8_t value_format = 1;
constexpr char index_separator = '\x01';   // between secondary and primary key; escaped primaries never hold it
enum SessionFlag : std::uint8_t { is_ending = 1 };

std::unexpected<Error> damaged(const char* what) { return fail(Errc::corrupt, std::string("cannot decode ") + what); }

// Zero bytes inside the name become 00 FF, and 00 01 closes it.
void append_name(BytesView name, Bytes& out) {
  for (const char c : name) {
    out += c;
    if (c == '\0') out += '\xFF';
  }
  out.append("\x00\x01", 2);
}

std::optional<Bytes> take_name(ByteReader& reader) {
  Bytes name;
  while (reader.ok()) {
    const BytesView c = reader.bytes(1);
    if (c != BytesView("\0", 1)) {
      name += c;
      continue;
    }
    const auto mark = reader.little_endian<std::uint8_t>();
    if (!reader.ok()) break;
    if (mark == 1) return name;
    name += '\0';
  }
  return std::nullopt;
}

Result<std::uint64_t> decode_u64(BytesView value, const char* what) {
  ByteReader reader(value);
  const auto number = reader.little_endian<std::uint64_t>();
  if (!reader.done()) return damaged(what);
  return number;
}

}  // namespace

Bytes encode_owner(Stamp record_modified) {
  Bytes out;
  append_little_endian(out, record_modified.value());
  return out;
}

Result<Stamp> decode_owner(BytesView value) {
  TRY(const std::uint64_t stamp, decode_u64(value, "an index entry or shadow"));
  return Stamp(stamp);
}

Bytes index_prefix(BytesView name) {
  Bytes out;
  append_name(name, out);
  return out;
}

Bytes index_entry_key(KeyOrder order, BytesView name, BytesView secondary, BytesView primary) {
  Bytes part(secondary);
  part += index_separator;
  append_path_escaped(primary, part);
  Bytes out = index_prefix(name);
  append_encoded_part(order, part, out);
  return out;
}

Bytes index_bound(KeyOrder order, BytesView name, BytesView secondary) {
  Bytes out = index_prefix(name);
  append_encoded_part(order, secondary, out);
  return out;
}

Result<IndexEntry> decode_index_entry(KeyOrder order, BytesView key) {
  ByteReader reader(key);
  std::optional<Bytes> name = take_name(reader);
  if (!name) return damaged("an index entry's name");
  const Bytes part = take_part(order, reader.rest());
  const std::size_t separator = part.rfind(index_separator);
  if (separator == Bytes::npos) return damaged("an index entry without a separator");
  auto primary = path_unescape(BytesView(part).substr(separator + 1));
  if (!primary) return damaged("an index entry's primary key");
  return IndexEntry{*std::move(name), part.substr(0, separator), *std::move(primary)};
}

Bytes session_key(SessionId session) {
  Bytes out;
  append_big_endian(out, static_cast<std::uint64_t>(session.value()));
  return out;
}

Result<SessionId> decode_session_key(BytesView key) {
  ByteReader reader(key);
  const auto id = reader.big_endian<std::uint64_t>();
  if (!reader.done()) return damaged("a session's key");
  return SessionId(static_cast<std::int64_t>(id));
}

Bytes encode_session(const SessionRecord& session) {
  Bytes out;
  append_little_endian(out, value_format);
  append_little_endian(out, static_cast<std::uint8_t>(session.ending ? is_ending : 0));
  append_varint(out, static_cast<std::uint64_t>(session.timeout.count()));
  append_varint(out, static_cast<std::uint64_t>(session.version_id.value()));
  append_little_endian(out, session.created.value());
  append_sized(out, session.client_identity);
  return out;
}

Result<SessionRecord> decode_session(BytesView value) {
  ByteReader reader(value);
  if (reader.little_endian<std::uint8_t>() != value_format) return damaged("a session of unknown format");
  SessionRecord session;
  session.ending = reader.little_endian<std::uint8_t>() & is_ending;
  session.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(reader.varint()));
  session.version_id = VersionId(static_cast<std::int64_t>(reader.varint()));
  session.created = Stamp(reader.little_endian<std::uint64_t>());
  session.client_identity = Bytes(reader.sized());
  if (!reader.done()) return damaged("a session");
  return session;
}

Bytes shadow_key(SessionId session, BytesView key) {
  Bytes out = session_key(session);
  append_path_escaped(key, out);
  return out;
}

Result<Shadow> decode_shadow_key(BytesView key) {
  ByteReader reader(key);
  const auto session = reader.big_endian<std::uint64_t>();
  auto record = path_unescape(reader.rest());
  if (!reader.ok() || !record) return damaged("a shadow's key");
  return Shadow{SessionId(static_cast<std::int64_t>(session)), *std::move(record)};
}

Bytes expiry_key(std::uint64_t due_millis, BytesView key) {
  Bytes out;
  append_big_endian(out, due_millis);
  out.append(key);
  return out;
}

Result<Expiry> decode_expiry_key(BytesView key) {
  ByteReader reader(key);
  const auto due = reader.big_endian<std::uint64_t>();
  if (!reader.ok()) return damaged("the key of an expiry");
  return Expiry{due, Bytes(reader.rest())};
}

Bytes request_slot_key(BytesView client, std::uint64_t sequence) {
  Bytes out;
  append_sized(out, client);
  append_big_endian(out, static_cast<std::uint16_t>(sequence % limits::request_window_replies));
  return out;
}

Bytes encode_request_slot(const RequestSlot& slot) {
  Bytes out;
  append_little_endian(out, value_format);
  append_varint(out, slot.sequence);
  append_little_endian(out, slot.stamp.value());
  out.append(slot.reply);
  return out;
}

Result<RequestSlot> decode_request_slot(BytesView value) {
  ByteReader reader(value);
  if (reader.little_endian<std::uint8_t>() != value_format) return damaged("a remembered reply of unknown format");
  RequestSlot slot;
  slot.sequence = reader.varint();
  slot.stamp = Stamp(reader.little_endian<std::uint64_t>());
  slot.reply = reader.rest();
  if (!reader.ok()) return damaged("a remembered reply");
  return slot;
}

Bytes encode_counters(const Counters& counters) {
  Bytes out;
  append_little_endian(out, value_format);
  append_little_endian(out, counters.last_stamp.value());
  append_varint(out, static_cast<std::uint64_t>(counters.next_version_id.value()));
  append_little_endian(out, counters.last_range_deletion.value());
  return out;
}

Result<Counters> decode_counters(BytesView value) {
  ByteReader reader(value);
  if (reader.little_endian<std::uint8_t>() != value_format) return damaged("counters of unknown format");
  Counters counters;
  counters.last_stamp = Stamp(reader.little_endian<std::uint64_t>());
  counters.next_version_id = VersionId(static_cast<std::int64_t>(reader.varint()));
  counters.last_range_deletion = Stamp(reader.little_endian<std::uint64_t>());
  if (!reader.done()) return damaged("the shard's counters");
  return counters;
}

Bytes encode_swept(Stamp stamp) { return encode_owner(stamp); }

Result<Stamp> decode_swept(BytesView value) {
  TRY(const std::uint64_t stamp, decode_u64(value, "the stamp of the last sweep"));
  return Stamp(stamp);
}

Bytes encode_term(Term term) {
  Bytes out;
  append_varint(out, static_cast<std::uint64_t>(term.value()));
  return out;
}

Result<Term> decode_term(BytesView value) {
  ByteReader reader(value);
  const std::uint64_t term = reader.varint();
  if (!reader.done()) return damaged("the term");
  return Term(static_cast<std::int64_t>(term));
}

}  // namespace skerry::store
