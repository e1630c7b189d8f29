// SPDX-License-Identifier: Apache-2.0
#include "client/wire.hpp"

#include <algorithm>
#include <limits>

namespace skerry::client {

WallTime wall_time(std::uint64_t millis) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(std::min(millis, most))));
}

namespace {

// Both protocols have the same fields here.
template <class Message>
Version version_from(const Message& version) {
  Version result;
  result.version_id = VersionId{version.version_id()};
  result.modifications = version.modifications_count();
  result.created = wall_time(version.created_timestamp());
  result.modified = wall_time(version.modified_timestamp());
  if (version.has_session_id()) result.session = SessionId{version.session_id()};
  result.client_identity = version.client_identity();
  return result;
}

template <class Message>
Record record_from(Message& response, std::string asked_key) {
  Record record;
  record.key = response.has_key() ? std::move(*response.mutable_key()) : std::move(asked_key);
  if (response.has_value()) record.value = std::move(*response.mutable_value());
  record.version = from_wire(response.version());
  if (response.has_secondary_index_key()) record.secondary_key = std::move(*response.mutable_secondary_index_key());
  return record;
}

}  // namespace

Version from_wire(const io::oxia::proto::v1::Version& version) { return version_from(version); }

Version from_wire(const store::v1::Version& version) {
  Version result = version_from(version);
  if (version.has_expires_timestamp()) result.expires = wall_time(version.expires_timestamp());
  return result;
}

Record from_wire(io::oxia::proto::v1::GetResponse& response, std::string asked_key) {
  return record_from(response, std::move(asked_key));
}

Record from_wire(store::v1::GetResponse& response, std::string asked_key) { return record_from(response, std::move(asked_key)); }

}  // namespace skerry::client
