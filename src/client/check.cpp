// SPDX-License-Identifier: Apache-2.0
#include "client/check.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "net/stream.hpp"

namespace skerry::client {
namespace {

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

Result<> check_timeouts(const ClientOptions& options) {
  if (options.request_timeout <= 0s) return refuse("the request timeout must be above zero");
  if (options.session_timeout < limits::session_timeout_min || options.session_timeout > limits::session_timeout_max) {
    return refuse(fmt::format("the session timeout must be between 2 s and 5 min, not {} ms",
                              std::chrono::floor<std::chrono::milliseconds>(options.session_timeout).count()));
  }
  if (options.retry_pause_min <= 0s || options.retry_pause_max < options.retry_pause_min) {
    return refuse("retry_pause_min must be above zero and no longer than retry_pause_max");
  }
  return {};
}

Result<> check_sequence(const PutOptions& options) {
  if (options.sequence_deltas.empty()) return {};
  if (!options.partition_key) return refuse("sequence deltas need a partition key: all keys of a sequence live on one shard");
  if (options.sequence_deltas.front() == 0) return refuse("the first sequence delta must be above zero");
  if (options.expected_version) return refuse("sequence deltas and an expected version exclude each other");
  return {};
}

}  // namespace

Result<> check(const ClientOptions& options) {
  if (options.addresses.empty()) return refuse("no server address was given");
  for (const std::string& address : options.addresses) {
    if (address.starts_with("tls://")) {
      return fail(Errc::unsupported, fmt::format("{}: connections with TLS are not supported; use a plain host:port", address));
    }
    TRYV(net::Address::parse(address));
  }
  TRYV(check_timeouts(options));
  TRYV(check_key("namespace", options.name_space));
  TRYV(check_key("client identity", options.identity));
  if (options.batch_operations_max == 0 || options.batch_bytes_max == 0 || options.batches_in_flight_max == 0 ||
      options.pending_operations_max == 0 || options.pending_bytes_max == 0) {
    return refuse("every limit of the client must be above zero");
  }
  if (options.batch_operations_max > limits::batch_operations_max) {
    return refuse(fmt::format("batch_operations_max is {}, the most that servers take is {}", options.batch_operations_max,
                              limits::batch_operations_max));
  }
  if (options.batches_in_flight_max > limits::stream_writes_in_flight_max) {
    return refuse(fmt::format("batches_in_flight_max is {}, the most that servers take is {}", options.batches_in_flight_max,
                              limits::stream_writes_in_flight_max));
  }
  return {};
}

Result<> check_key(std::string_view what, std::string_view key) {
  if (key.size() > limits::key_bytes_max) {
    return refuse(fmt::format("the {} is {} bytes long, the limit is {}", what, key.size(), limits::key_bytes_max));
  }
  if (const auto bad = find_invalid_utf8(key)) {
    return refuse(fmt::format("the {} is not UTF-8 at byte {}: {}", what, *bad, printable(key)));
  }
  return {};
}

Result<> check_put(std::string_view key, std::string_view value, const PutOptions& options) {
  TRYV(check_key("key", key));
  if (value.size() > limits::value_bytes_max) {
    return refuse(
        fmt::format("the value of {} is {} bytes long, the limit is {}", printable(key), value.size(), limits::value_bytes_max));
  }
  if (options.partition_key) TRYV(check_key("partition key", *options.partition_key));
  if (options.indexes.size() > limits::secondary_indexes_max) {
    return refuse(fmt::format("{} has {} secondary indexes, the limit is {}", printable(key), options.indexes.size(),
                              limits::secondary_indexes_max));
  }
  for (const IndexKey& index : options.indexes) {
    TRYV(check_key("index name", index.name));
    TRYV(check_key("secondary key", index.key));
  }
  return check_sequence(options);
}

}  // namespace skerry::client
