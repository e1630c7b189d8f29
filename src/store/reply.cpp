// SPDX-License-Identifier: Apache-2.0
#include "store/reply.hpp"

namespace skerry::store {
namespace {

constexpr std::uint8_t reply_format = 1;
enum Flag : std::uint8_t { has_session = 1, has_client_identity = 2, has_key = 4 };

void append_put(const PutOutcome& put, Bytes& out) {
  append_little_endian(out, static_cast<std::uint8_t>(put.status));
  if (put.status != Status::ok) return;
  const Version& version = put.version;
  append_little_endian(
      out, static_cast<std::uint8_t>((version.session ? has_session : 0) | (version.client_identity ? has_client_identity : 0) |
                                     (put.key ? has_key : 0)));
  append_varint(out, static_cast<std::uint64_t>(version.version_id.value()));
  append_varint(out, static_cast<std::uint64_t>(version.modifications));
  append_varint(out, version.created_millis);
  append_varint(out, version.modified_millis);
  if (version.session) append_varint(out, static_cast<std::uint64_t>(version.session->value()));
  if (version.client_identity) append_sized(out, *version.client_identity);
  if (put.key) append_sized(out, *put.key);
}

Status take_status(ByteReader& reader) {
  const auto status = reader.little_endian<std::uint8_t>();
  if (status > static_cast<std::uint8_t>(Status::session_does_not_exist)) reader.fail();
  return static_cast<Status>(status);
}

PutOutcome take_put(ByteReader& reader) {
  PutOutcome put;
  put.status = take_status(reader);
  if (put.status != Status::ok) return put;
  const auto flags = reader.little_endian<std::uint8_t>();
  put.version.version_id = VersionId(static_cast<std::int64_t>(reader.varint()));
  put.version.modifications = static_cast<std::int64_t>(reader.varint());
  put.version.created_millis = reader.varint();
  put.version.modified_millis = reader.varint();
  if (flags & has_session) put.version.session = SessionId(static_cast<std::int64_t>(reader.varint()));
  if (flags & has_client_identity) put.version.client_identity.emplace(reader.sized());
  if (flags & has_key) put.key.emplace(reader.sized());
  return put;
}

void append_statuses(const std::vector<Status>& statuses, Bytes& out) {
  append_varint(out, statuses.size());
  for (const Status status : statuses) append_little_endian(out, static_cast<std::uint8_t>(status));
}

void take_statuses(ByteReader& reader, std::vector<Status>& statuses) {
  const std::uint64_t count = reader.varint();
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) statuses.push_back(take_status(reader));
}

}  // namespace

Bytes encode_outcome(const WriteOutcome& outcome) {
  Bytes out;
  append_little_endian(out, reply_format);
  append_varint(out, outcome.puts.size());
  for (const PutOutcome& put : outcome.puts) append_put(put, out);
  append_statuses(outcome.deletes, out);
  append_statuses(outcome.delete_ranges, out);
  return out;
}

Result<WriteOutcome> decode_outcome(BytesView encoded) {
  ByteReader reader(encoded);
  if (reader.little_endian<std::uint8_t>() != reply_format) return fail(Errc::corrupt, "remembered reply of unknown format");
  WriteOutcome outcome;
  const std::uint64_t puts = reader.varint();
  for (std::uint64_t i = 0; i < puts && reader.ok(); ++i) outcome.puts.push_back(take_put(reader));
  take_statuses(reader, outcome.deletes);
  take_statuses(reader, outcome.delete_ranges);
  if (!reader.done()) return fail(Errc::corrupt, "remembered reply cut short or too long");
  return outcome;
}

}  // namespace skerry::store
