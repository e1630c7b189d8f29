// SPDX-License-Identifier: Apache-2.0
#include "store/reply.hpp"

#include "base/limits.hpp"

namespace skerry::store {
namespace {

constexpr std::uint8_t reply_format = 1;
constexpr std::uint8_t rejection_format = 2;   // of an atomic batch that did not take place
enum ReplyFlag : std::uint8_t { reply_has_session = 1, reply_has_client_identity = 2, reply_has_key = 4, reply_has_expiry = 8 };

void append_put(const PutOutcome& put, Bytes& out) {
  append_little_endian(out, static_cast<std::uint8_t>(put.status));
  if (put.status != Status::ok) return;
  const Version& version = put.version;
  append_little_endian(
      out, static_cast<std::uint8_t>((version.session ? reply_has_session : 0) |
                                     (version.client_identity ? reply_has_client_identity : 0) | (put.key ? reply_has_key : 0) |
                                     (version.expires_millis ? reply_has_expiry : 0)));
  append_varint(out, static_cast<std::uint64_t>(version.version_id.value()));
  append_varint(out, static_cast<std::uint64_t>(version.modifications));
  append_varint(out, version.created_millis);
  append_varint(out, version.modified_millis);
  if (version.session) append_varint(out, static_cast<std::uint64_t>(version.session->value()));
  if (version.client_identity) append_sized(out, *version.client_identity);
  if (put.key) append_sized(out, *put.key);
  if (version.expires_millis) append_varint(out, *version.expires_millis);
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
  if (flags & reply_has_session) put.version.session = SessionId(static_cast<std::int64_t>(reader.varint()));
  if (flags & reply_has_client_identity) put.version.client_identity.emplace(reader.sized());
  if (flags & reply_has_key) put.key.emplace(reader.sized());
  if (flags & reply_has_expiry) put.version.expires_millis = reader.varint();
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

void append_rejection(const Rejection& rejection, Bytes& out) {
  append_little_endian(out, rejection_format);
  append_little_endian(out, static_cast<std::uint8_t>(rejection.part));
  append_varint(out, rejection.position);
  append_little_endian(out, static_cast<std::uint8_t>(rejection.status));
  append_little_endian(out, static_cast<std::uint8_t>(rejection.found ? 1 : 0));
  if (rejection.found) append_varint(out, static_cast<std::uint64_t>(rejection.found->value()));
}

Rejection take_rejection(ByteReader& reader) {
  Rejection rejection;
  const auto part = reader.little_endian<std::uint8_t>();
  if (part > static_cast<std::uint8_t>(Rejection::Part::operation)) reader.fail();
  rejection.part = static_cast<Rejection::Part>(part);
  const std::uint64_t position = reader.varint();
  if (position > limits::batch_operations_max) reader.fail();
  rejection.position = static_cast<std::uint32_t>(position);
  rejection.status = take_status(reader);
  if (reader.little_endian<std::uint8_t>() != 0) rejection.found = VersionId(static_cast<std::int64_t>(reader.varint()));
  return rejection;
}

}  // namespace

Bytes encode_outcome(const WriteOutcome& outcome) {
  Bytes out;
  if (outcome.rejection) return append_rejection(*outcome.rejection, out), out;
  append_little_endian(out, reply_format);
  append_varint(out, outcome.puts.size());
  for (const PutOutcome& put : outcome.puts) append_put(put, out);
  append_statuses(outcome.deletes, out);
  append_statuses(outcome.delete_ranges, out);
  return out;
}

Result<WriteOutcome> decode_outcome(BytesView encoded) {
  ByteReader reader(encoded);
  const auto format = reader.little_endian<std::uint8_t>();
  if (format != reply_format && format != rejection_format) return fail(Errc::corrupt, "remembered reply of unknown format");
  WriteOutcome outcome;
  if (format == rejection_format) {
    outcome.rejection = take_rejection(reader);
    if (!reader.done()) return fail(Errc::corrupt, "remembered rejection cut short or too long");
    return outcome;
  }
  const std::uint64_t puts = reader.varint();
  for (std::uint64_t i = 0; i < puts && reader.ok(); ++i) outcome.puts.push_back(take_put(reader));
  take_statuses(reader, outcome.deletes);
  take_statuses(reader, outcome.delete_ranges);
  if (!reader.done()) return fail(Errc::corrupt, "remembered reply cut short or too long");
  return outcome;
}

}  // namespace skerry::store
