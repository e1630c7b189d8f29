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

Result<> settle_tls(ClientOptions& options) {
  std::size_t secure = 0;
  for (std::string& address : options.addresses) {
    if (!address.starts_with(tls_scheme)) continue;
    address.erase(0, tls_scheme.size());
    ++secure;
  }
  if (secure > 0 && secure < options.addresses.size()) {
    return refuse("some addresses begin with tls:// and some do not: all servers of a cluster are reached alike");
  }
  if (secure > 0 && !options.tls) options.tls.emplace();
  if (options.tls) options.tls->alpn = {"h2"};   // gRPC's
  return {};
}

Result<> check(const ClientOptions& options) {
  if (options.addresses.empty()) return refuse("no server address was given");
  for (const std::string& address : options.addresses) {
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
  if (options.time_to_live &&
      (*options.time_to_live < limits::time_to_live_min || *options.time_to_live > limits::time_to_live_max)) {
    return refuse(fmt::format("the time to live must be between {} ms and {} days, not {} ms", limits::time_to_live_min.count(),
                              std::chrono::floor<std::chrono::days>(limits::time_to_live_max).count(),
                              options.time_to_live->count()));
  }
  if (options.time_to_live && options.expiry == Expiry::keep) {
    return refuse("a put takes a new time to live or keeps the record's expiry, not both");
  }
  return check_sequence(options);
}

Result<> check_batch(const AtomicBatch& batch) {
  if (batch.conditions().empty() && batch.operations().empty()) return refuse("the batch is empty");
  const std::size_t parts = batch.conditions().size() + batch.operations().size();
  if (parts > limits::batch_operations_max) {
    return refuse(fmt::format("the batch has {} operations, the limit is {}", parts, limits::batch_operations_max));
  }
  for (const auto& condition : batch.conditions()) TRYV(check_key("key", condition.key));
  for (const auto& operation : batch.operations()) {
    if (const auto* put = std::get_if<AtomicBatch::Put>(&operation)) {
      if (put->options.partition_key || put->options.deadline) {
        return refuse("partition key and deadline are the batch's, not those of one put in it");
      }
      PutOptions options = put->options;
      if (!options.sequence_deltas.empty()) return refuse("a sequence put can't be part of an atomic batch");
      TRYV(check_put(put->key, put->value, options));
    } else if (const auto* one = std::get_if<AtomicBatch::Remove>(&operation)) {
      TRYV(check_key("key", one->key));
    } else {
      TRYV(check_key("start of the range", std::get<KeyRange>(operation).start));
      TRYV(check_key("end of the range", std::get<KeyRange>(operation).end));
    }
  }
  return {};
}

Result<> check_range(const KeyRange& range, const RangeOptions& options) {
  TRYV(check_key("start of the range", range.start));
  TRYV(check_key("end of the range", range.end));
  const bool internal = options.internal_keys == InternalKeys::shown;
  if (internal && (options.direction == Direction::backward || !options.page_token.empty())) {
    return refuse("a walk that shows internal keys goes forward and in one go: neither backward nor a page token fits it");
  }
  if (options.limit == 0U) return refuse("the limit of a walk must be above zero; leave it out for none");
  return {};
}

}  // namespace skerry::client
