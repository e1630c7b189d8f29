// SPDX-License-Identifier: Apache-2.0
#include "store/entry.hpp"

#include <limits>

namespace skerry::store {
namespace {

constexpr std::uint8_t entry_format = 1;
enum EntryFlag : std::uint64_t { is_atomic = 1, has_request = 2, entry_flags_all = 3 };

bool known(EntryKind kind) { return kind >= EntryKind::write && kind <= EntryKind::expire; }

Result<EntryHeader> take_header(ByteReader& reader) {
  if (const auto format = reader.little_endian<std::uint8_t>(); reader.ok() && format != entry_format)
    return fail(Errc::corrupt, "log entry of unknown format " + std::to_string(format));
  EntryHeader header;
  header.kind = static_cast<EntryKind>(reader.little_endian<std::uint8_t>());
  const std::uint64_t flags = reader.varint();
  header.atomic = flags & is_atomic;
  header.stamp = Stamp(reader.little_endian<std::uint64_t>());
  const std::uint64_t next_version_id = reader.varint();
  header.next_version_id = VersionId(static_cast<std::int64_t>(next_version_id));
  if (flags & has_request) {
    header.request.emplace();
    header.request->client = reader.sized();
    header.request->sequence = reader.varint();
    header.request->reply = reader.sized();
  }
  if (!reader.ok()) return fail(Errc::corrupt, "log entry header cut short");
  if (!known(header.kind) || flags & ~std::uint64_t{entry_flags_all} ||
      next_version_id > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return fail(Errc::corrupt, "log entry header holds unknown values");
  return header;
}

bool well_formed(const Effect& effect) {
  if (effect.space < Space::records || effect.space > Space::expiries) return false;
  const bool of_records = effect.space == Space::records;
  if (effect.action == Effect::Action::sequence) return of_records && !effect.notification;
  if (!effect.notification) return true;
  if (!of_records || *effect.notification > NotificationKind::range_deleted) return false;
  switch (*effect.notification) {
    case NotificationKind::created:
    case NotificationKind::modified: return effect.action == Effect::Action::put;
    case NotificationKind::deleted: return effect.action == Effect::Action::erase;
    case NotificationKind::range_deleted: return effect.action == Effect::Action::erase_range;
  }
  return false;
}

bool has_value(Effect::Action action) { return action == Effect::Action::put || action == Effect::Action::erase_range; }

}  // namespace

Result<Entry> decode_entry(BytesView encoded) {
  ByteReader reader(encoded);
  TRY(const EntryHeader header, take_header(reader));
  Entry entry{header, {}};
  while (reader.ok() && !reader.done()) {
    const auto tag = reader.little_endian<std::uint8_t>();
    Effect effect;
    effect.action = static_cast<Effect::Action>(tag & 3);
    effect.space = static_cast<Space>(tag >> 2 & 7);
    if (const int notification = tag >> 5; notification != 0)
      effect.notification = static_cast<NotificationKind>(notification - 1);
    effect.key = reader.sized();
    if (has_value(effect.action)) effect.value = reader.sized();
    if (!reader.ok()) return fail(Errc::corrupt, "log entry cut short in its effects");
    if (!well_formed(effect)) return fail(Errc::corrupt, "log entry holds an unknown effect");
    entry.effects.push_back(effect);
  }
  return entry;
}

Result<EntryHeader> decode_entry_header(BytesView encoded) {
  ByteReader reader(encoded);
  return take_header(reader);
}

void append_effect(const Effect& effect, Bytes& effects) {
  const int notification = effect.notification ? static_cast<int>(*effect.notification) + 1 : 0;
  effects += static_cast<char>(static_cast<int>(effect.action) | static_cast<int>(effect.space) << 2 | notification << 5);
  append_sized(effects, effect.key);
  if (has_value(effect.action)) append_sized(effects, effect.value);
}

Bytes encode_entry(const EntryHeader& header, BytesView effects) {
  Bytes out;
  out.reserve(32 + effects.size() + (header.request ? header.request->client.size() + header.request->reply.size() + 16 : 0));
  append_little_endian(out, entry_format);
  append_little_endian(out, static_cast<std::uint8_t>(header.kind));
  append_varint(out, (header.atomic ? is_atomic : 0) | (header.request ? has_request : 0));
  append_little_endian(out, header.stamp.value());
  append_varint(out, static_cast<std::uint64_t>(header.next_version_id.value()));
  if (header.request) {
    append_sized(out, header.request->client);
    append_varint(out, header.request->sequence);
    append_sized(out, header.request->reply);
  }
  out.append(effects);
  return out;
}

}  // namespace skerry::store
