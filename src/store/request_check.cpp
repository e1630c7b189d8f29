// SPDX-License-Identifier: Apache-2.0
#include "store/request_check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "store/key_order.hpp"
#include "store/sequence_key.hpp"

namespace skerry::store {
namespace {

// Names under which the shard shows tables of its own. The rest of "__oxia/" is the user's.
constexpr BytesView reserved_names[] = {"__oxia/commit-offset", "__oxia/last-version-id", "__oxia/checksum"};
constexpr BytesView reserved_prefixes[] = {"__oxia/session/", "__oxia/idx/", "__oxia/notifications/", "__oxia/term",
                                           "__oxia/features/"};

bool is_reserved(BytesView key) {
  if (!is_internal(key)) return false;
  return std::find(std::begin(reserved_names), std::end(reserved_names), key) != std::end(reserved_names) ||
         std::any_of(std::begin(reserved_prefixes), std::end(reserved_prefixes),
                     [key](BytesView prefix) { return key.starts_with(prefix); });
}

std::unexpected<Error> too_much(const std::string& what, std::size_t allowed) {
  return fail(Errc::resource_exhausted, fmt::format("{}, at most {} are allowed", what, allowed));
}

std::unexpected<Error> invalid(std::string what) { return fail(Errc::invalid_argument, std::move(what)); }

Result<> check_text(const char* field, BytesView text) {
  if (text.size() > limits::key_bytes_max)
    return too_much(fmt::format("{} has {} bytes", field, text.size()), limits::key_bytes_max);
  if (const auto at = find_invalid_utf8(text))
    return invalid(std::string(field) + " is not valid UTF-8 at byte " + std::to_string(*at) + ": " + printable(text));
  return {};
}

Result<> check_text(const char* field, const std::optional<BytesView>& text) {
  return text ? check_text(field, *text) : Result<>{};
}

Result<> check_written_key(BytesView key) {
  TRYV(check_text("key", key));
  if (is_reserved(key)) return invalid("key " + printable(key) + " is reserved for the server's own records");
  return {};
}

Result<> check_sequence(const Put& put) {
  const auto deltas = put.sequence_deltas;
  if (deltas.empty()) return {};
  if (!put.partition_key)
    return invalid("sequence_key_delta needs a partition_key, so that one shard makes all keys of the sequence");
  if (deltas[0] == 0) return invalid("the first sequence_key_delta must be above 0");
  if (deltas.size() > limits::sequence_deltas_max)
    return too_much(fmt::format("{} values of sequence_key_delta", deltas.size()), limits::sequence_deltas_max);
  if (put.key.size() + deltas.size() * sequence_part_bytes > limits::key_bytes_max)
    return fail(Errc::resource_exhausted,
                fmt::format("the sequence's keys would have more than {} bytes: choose a shorter prefix", limits::key_bytes_max));
  return {};
}

Result<> check_put(const Put& put) {
  TRYV(check_written_key(put.key));
  TRYV(check_text("client_identity", put.client_identity));
  TRYV(check_text("partition_key", put.partition_key));
  if (put.value.size() > limits::value_bytes_max)
    return too_much(fmt::format("value has {} bytes", put.value.size()), limits::value_bytes_max);
  if (put.indexes.size() > limits::secondary_indexes_max)
    return too_much(fmt::format("{} secondary_indexes", put.indexes.size()), limits::secondary_indexes_max);
  for (const SecondaryIndex& index : put.indexes) {
    TRYV(check_text("index_name", index.name));
    TRYV(check_text("secondary_key", index.key));
  }
  if (put.time_to_live && (*put.time_to_live < limits::time_to_live_min || *put.time_to_live > limits::time_to_live_max))
    return invalid(fmt::format("a time to live of {} ms: it must be between {} ms and {} ms", put.time_to_live->count(),
                               limits::time_to_live_min.count(), limits::time_to_live_max.count()));
  if (put.time_to_live && put.keep_expiry)
    return invalid("a put takes a new time to live or keeps the record's expiry, not both");
  if (put.override_version && put.override_version->value() < 0) return invalid("override_version_id must not be negative");
  if (put.override_modifications.value_or(0) < 0) return invalid("override_modifications_count must not be negative");
  return check_sequence(put);
}

// An internal name may be asked about: it is just not there.
Result<> check_guard(const Guard& guard) {
  TRYV(check_text("key", guard.key));
  if (guard.kind == Guard::Kind::version && guard.version.value() < 0)
    return invalid("a guard's version id must not be negative: ask for absence instead");
  return {};
}

Result<> check_steps(const WriteRequest& request) {
  if (!request.atomic && !(request.guards.empty() && request.steps.empty()))
    return invalid("guards and an order of operations are for atomic batches only");
  if (request.steps.empty()) return {};
  const auto named = [&](Step kind) { return std::ranges::count(request.steps, kind); };
  if (named(Step::put) != std::ssize(request.puts) || named(Step::erase) != std::ssize(request.deletes) ||
      named(Step::erase_range) != std::ssize(request.delete_ranges))
    return invalid("the order of operations must name each of them once");
  return {};
}

Result<> check_bounds(BytesView start, BytesView end) {
  TRYV(check_text("start_inclusive", start));
  return check_text("end_exclusive", end);
}

Result<> name_operation(Result<> checked, const char* operation, std::size_t position) {
  if (checked) return checked;
  Error error = std::move(checked).error();
  error.text = std::string(operation) + ' ' + std::to_string(position) + ": " + error.text;
  return fail(std::move(error));
}

std::size_t bytes_of(const WriteRequest& request) {
  std::size_t bytes = 0;
  for (const Put& put : request.puts) {
    bytes += 2 * put.key.size() + put.value.size();
    bytes += put.client_identity.value_or(BytesView{}).size() + put.partition_key.value_or(BytesView{}).size();
    for (const SecondaryIndex& index : put.indexes) bytes += 2 * (index.name.size() + index.key.size()) + put.key.size();
  }
  for (const Delete& one : request.deletes) bytes += one.key.size();
  for (const DeleteRange& range : request.delete_ranges) bytes += range.start.size() + range.end.size();
  for (const Guard& guard : request.guards) bytes += guard.key.size();
  return bytes;
}

}  // namespace

Result<> check_write(const WriteRequest& request) {
  const std::size_t operations =
      request.puts.size() + request.deletes.size() + request.delete_ranges.size() + request.guards.size();
  if (operations > limits::batch_operations_max)
    return too_much(fmt::format("the request has {} operations", operations), limits::batch_operations_max);
  for (std::size_t i = 0; i < request.puts.size(); ++i) TRYV(name_operation(check_put(request.puts[i]), "put", i));
  for (std::size_t i = 0; i < request.deletes.size(); ++i)
    TRYV(name_operation(check_written_key(request.deletes[i].key), "delete", i));
  for (std::size_t i = 0; i < request.delete_ranges.size(); ++i)
    TRYV(name_operation(check_bounds(request.delete_ranges[i].start, request.delete_ranges[i].end), "delete_range", i));
  for (std::size_t i = 0; i < request.guards.size(); ++i) TRYV(name_operation(check_guard(request.guards[i]), "guard", i));
  TRYV(check_steps(request));
  // The entry itself is measured when it is made; this saves evaluating what can never fit.
  if (const std::size_t bytes = bytes_of(request); bytes > limits::entry_bytes_max)
    return too_much(fmt::format("the request has {} bytes, more than fit in one log entry: send smaller batches", bytes),
                    limits::entry_bytes_max);
  return {};
}

Result<> check_get(const Get& get) {
  TRYV(check_text("key", get.key));
  return check_text("secondary_index_name", get.index);
}

Result<> check_range(const Range& range) {
  TRYV(check_bounds(range.start, range.end));
  if (range.include_internal_keys && (range.reverse || range.resume))
    return invalid("a walk that shows internal keys goes forward and in one go: neither reverse nor a page token fits it");
  return range.index ? check_text("secondary_index_name", BytesView(*range.index)) : Result<>{};
}

Result<> check_session_identity(BytesView client_identity) { return check_text("client_identity", client_identity); }

}  // namespace skerry::store
