// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <vector>

#include "store/shard_state.hpp"

// The shard's own tables as Oxia's clients know them: records under "__oxia/…" that exist only in the telling.
namespace skerry::store {

struct InternalRecord {
  Bytes key;
  Bytes value;
  Version version;
};

constexpr BytesView commit_offset_name = "__oxia/commit-offset";
constexpr BytesView last_version_id_name = "__oxia/last-version-id";
constexpr BytesView term_name = "__oxia/term";
constexpr BytesView session_name_prefix = "__oxia/session/";   // then %016x of the id, and for shadows '/' and the escaped key
constexpr BytesView index_name_prefix = "__oxia/idx/";   // then escaped NAME '/' SECONDARY \x01 escaped PRIMARY

// The few that always exist, in either key order.
std::vector<InternalRecord> show_counters(const ShardState& state);
// Its value is protobuf: uint32 timeout_ms = 1; string identity = 2.
InternalRecord show_session(SessionId id, const SessionRecord& session);
Bytes shadow_name(const Shadow& shadow);
Bytes index_entry_name(const IndexEntry& entry);

// What such a name stands for: the keys in our own spaces.
std::optional<SessionId> parse_session_name(BytesView name);
std::optional<Shadow> parse_shadow_name(BytesView name);
std::optional<IndexEntry> parse_index_entry_name(BytesView name);

}   // namespace skerry::store
