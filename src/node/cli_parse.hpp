// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "client/types.hpp"

// From the words of a command line, and lines of a file, to what the client library takes. Pure; every failure is
// invalid_argument and says what is expected.
namespace skerry::node {

inline std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

// "name=key"; the key may contain further '='.
Result<client::IndexKey> parse_index(std::string_view text);
Result<client::Comparison> parse_comparison(std::string_view text);
// "shard=offset"
Result<std::pair<ShardId, Offset>> parse_position(std::string_view text);

// "30s", "12h": of a record.
Result<std::chrono::milliseconds> parse_ttl(std::string_view text);
// "key=value", "key=version", "min=max": at the first '='.
Result<std::pair<std::string, std::string>> parse_pair(std::string_view text, std::string_view what);
Result<VersionId> parse_version(std::string_view text);
// One line of `batch`: a condition or an operation, added to the batch.
Result<> parse_batch_line(std::string_view line, client::AtomicBatch& batch);

// One line of `put --json-lines`: {"key":…, "value":…, "partition_key":…, "expected_version":…, "indexes":{"name":"key"}}.
// A value that is no string is stored as its JSON text; "value_base64" takes any bytes.
struct BulkPut {
  std::string key;
  std::string value;
  client::PutOptions options;
};
Result<BulkPut> parse_json_line(std::string_view line);

}  // namespace skerry::node
