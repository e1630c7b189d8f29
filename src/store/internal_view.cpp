// SPDX-License-Identifier: Apache-2.0
#include "store/internal_view.hpp"

#include <fmt/format.h>

#include <charconv>

#include "store/path_escape.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t session_digits = 16;

Bytes session_name(SessionId id) { return fmt::format("{}{:016x}", session_name_prefix, static_cast<std::uint64_t>(id.value())); }

std::optional<SessionId> parse_digits(BytesView digits) {
  if (digits.size() != session_digits || digits.find_first_not_of("0123456789abcdef") != BytesView::npos) return std::nullopt;
  std::uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  return SessionId(static_cast<std::int64_t>(id));
}

}  // namespace

std::vector<InternalRecord> show_counters(const ShardState& state) {
  const Version none;
  std::vector<InternalRecord> shown{
      {Bytes(commit_offset_name), std::to_string(state.engine.applied().value()), none},
      {Bytes(last_version_id_name), std::to_string(state.committed.next_version_id.previous().value()), none}};
  if (state.term != no_term) shown.push_back({Bytes(term_name), std::to_string(state.term.value()), none});
  return shown;
}

InternalRecord show_session(SessionId id, const SessionRecord& session) {
  InternalRecord shown{session_name(id), {}, {}};
  shown.value += '\x08';   // field 1, varint
  append_varint(shown.value, static_cast<std::uint64_t>(session.timeout.count()));
  if (!session.client_identity.empty()) {
    shown.value += '\x12';   // field 2, sized
    append_sized(shown.value, session.client_identity);
  }
  shown.version.version_id = session.version_id;
  shown.version.created_millis = shown.version.modified_millis = session.created.millis();
  return shown;
}

Bytes shadow_name(const Shadow& shadow) { return session_name(shadow.session) + '/' + path_escape(shadow.key); }

Bytes index_entry_name(const IndexEntry& entry) {
  return fmt::format("{}{}/{}\x01{}", index_name_prefix, path_escape(entry.name), entry.secondary, path_escape(entry.primary));
}

std::optional<SessionId> parse_session_name(BytesView name) {
  if (!name.starts_with(session_name_prefix)) return std::nullopt;
  return parse_digits(name.substr(session_name_prefix.size()));
}

std::optional<Shadow> parse_shadow_name(BytesView name) {
  const std::size_t slash = session_name_prefix.size() + session_digits;
  if (!name.starts_with(session_name_prefix) || name.size() <= slash || name[slash] != '/') return std::nullopt;
  const auto session = parse_digits(name.substr(session_name_prefix.size(), session_digits));
  auto key = path_unescape(name.substr(slash + 1));
  if (!session || !key) return std::nullopt;
  return Shadow{*session, *std::move(key)};
}

std::optional<IndexEntry> parse_index_entry_name(BytesView name) {
  if (!name.starts_with(index_name_prefix)) return std::nullopt;
  name.remove_prefix(index_name_prefix.size());
  const std::size_t slash = name.find('/');
  const std::size_t separator = name.rfind('\x01');
  if (slash == BytesView::npos || separator == BytesView::npos || separator < slash) return std::nullopt;
  auto index = path_unescape(name.substr(0, slash));
  auto primary = path_unescape(name.substr(separator + 1));
  if (!index || !primary) return std::nullopt;
  return IndexEntry{*std::move(index), Bytes(name.substr(slash + 1, separator - slash - 1)), *std::move(primary)};
}

}  // namespace skerry::store
