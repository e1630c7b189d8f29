// SPDX-License-Identifier: Apache-2.0
#include "store/testing/model_shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "store/path_escape.hpp"

namespace skerry::store::testing {
namespace {

const GetOutcome not_found{Status::key_not_found, {}, {}, {}, {}};
constexpr std::size_t part_bytes = 21;   // "-" and twenty digits

}  // namespace

const ModelShard::Record* ModelShard::find(BytesView key) const {
  const auto at = records_.find(encode_key(order_, key));
  return at == records_.end() ? nullptr : &at->second;
}

bool ModelShard::expected(std::optional<VersionId> wanted, const Record* existing) const {
  if (!wanted) return true;
  return existing ? existing->version.version_id == *wanted : *wanted == must_not_exist;
}

// Step by step on a copy, until one fails.
std::optional<WriteOutcome> ModelShard::write_atomic(const WriteRequest& request, std::uint64_t millis) {
  const auto found = [this](BytesView key) {
    const Record* existing = find(key);
    return existing ? std::optional(existing->version.version_id) : std::nullopt;
  };
  for (std::uint32_t at = 0; at < request.guards.size(); ++at) {
    const Guard& guard = request.guards[at];
    const auto version = found(guard.key);
    const bool holds = guard.kind == Guard::Kind::exists   ? version.has_value()
                       : guard.kind == Guard::Kind::absent ? !version
                                                           : version == guard.version;
    if (!holds) return WriteOutcome{{}, {}, {}, Rejection{Rejection::Part::guard, at, Status::ok, version}};
  }
  const ModelShard before = *this;
  WriteOutcome outcome;
  std::size_t puts = 0, deletes = 0, ranges = 0;
  std::uint32_t position = 0;
  for (const Step step : request.steps) {
    WriteRequest one;
    if (step == Step::put) one.puts = request.puts.subspan(puts++, 1);
    if (step == Step::erase) one.deletes = request.deletes.subspan(deletes++, 1);
    if (step == Step::erase_range) one.delete_ranges = request.delete_ranges.subspan(ranges++, 1);
    auto done = write(one, millis);
    if (!done) return *this = before, std::nullopt;
    const Status status = step == Step::put ? done->puts[0].status : step == Step::erase ? done->deletes[0] : Status::ok;
    if (status != Status::ok && status != Status::key_not_found) {
      const auto version = found(step == Step::put ? one.puts[0].key : one.deletes[0].key);
      *this = before;
      return WriteOutcome{{}, {}, {}, Rejection{Rejection::Part::operation, position, status, version}};
    }
    ++position;
    std::ranges::move(done->puts, std::back_inserter(outcome.puts));
    std::ranges::move(done->deletes, std::back_inserter(outcome.deletes));
    std::ranges::move(done->delete_ranges, std::back_inserter(outcome.delete_ranges));
  }
  return outcome;
}

std::optional<WriteOutcome> ModelShard::write(const WriteRequest& request, std::uint64_t millis) {
  if (request.atomic) return write_atomic(request, millis);
  const ModelShard before = *this;
  WriteOutcome outcome;
  for (const Put& one : request.puts) {
    auto result = put(one, millis);
    if (!result) return *this = before, std::nullopt;
    outcome.puts.push_back(*std::move(result));
  }
  for (const Delete& one : request.deletes) {
    const Record* existing = find(one.key);
    Status status = existing ? Status::ok : Status::key_not_found;
    if (!expected(one.expected_version, existing)) status = Status::unexpected_version_id;
    if (status == Status::ok) records_.erase(encode_key(order_, one.key));
    outcome.deletes.push_back(status);
  }
  for (const DeleteRange& one : request.delete_ranges) {
    const Bytes start = encode_key(order_, one.start), end = encode_key(order_, one.end);
    if (start < end) records_.erase(records_.lower_bound(start), records_.lower_bound(end));
    outcome.delete_ranges.push_back(Status::ok);
  }
  return outcome;
}

std::optional<Bytes> ModelShard::highest_sequence_key(BytesView prefix) const {
  std::optional<Bytes> highest;
  for (const auto& [encoded, record] : records_)
    if (record.key.starts_with(Bytes(prefix) + '-') && encoded < encode_key(order_, Bytes(prefix) + "-18446744073709551615"))
      highest = record.key;
  return highest;
}

std::optional<Bytes> ModelShard::sequence_key(const Put& put) const {
  std::vector<std::uint64_t> parts;
  if (const auto last = highest_sequence_key(put.key))
    for (std::size_t at = put.key.size() + 1; at < last->size(); at += part_bytes)
      parts.push_back(std::stoull(last->substr(at, part_bytes - 1)));
  if (parts.size() > put.sequence_deltas.size()) return std::nullopt;
  parts.resize(put.sequence_deltas.size());
  Bytes key(put.key);
  for (std::size_t i = 0; i < parts.size(); ++i) key += fmt::format("-{:020}", parts[i] + put.sequence_deltas[i]);
  return key;
}

std::optional<PutOutcome> ModelShard::put(const Put& put, std::uint64_t millis) {
  PutOutcome outcome;
  Bytes key(put.key);
  if (!put.sequence_deltas.empty()) {
    if (put.expected_version) return PutOutcome{Status::unexpected_version_id, {}, {}};
    outcome.key = sequence_key(put);
    if (!outcome.key) return std::nullopt;
    key = *outcome.key;
  }
  const Record* existing = find(key);
  if (!expected(put.expected_version, existing)) return PutOutcome{Status::unexpected_version_id, {}, {}};
  if (put.session && !sessions_.contains(*put.session)) return PutOutcome{Status::session_does_not_exist, {}, {}};
  Record record{key, {}, Bytes(put.value), {}};
  record.version.version_id = put.override_version ? *put.override_version : VersionId(next_version_++);
  record.version.modifications = put.override_modifications.value_or(existing ? existing->version.modifications + 1 : 0);
  record.version.created_millis = existing ? existing->version.created_millis : millis;
  record.version.modified_millis = millis;
  record.version.session = put.session;
  if (put.client_identity) record.version.client_identity = Bytes(*put.client_identity);
  for (const SecondaryIndex& one : put.indexes) record.indexes.emplace_back(one.name, one.key);
  outcome.version = record.version;
  records_[encode_key(order_, key)] = std::move(record);
  return outcome;
}

void ModelShard::create_session(SessionId session) {
  sessions_.insert(session);
  ++next_version_;
}

void ModelShard::end_session(SessionId session) {
  if (sessions_.erase(session) > 0) std::erase_if(records_, [&](const auto& r) { return r.second.version.session == session; });
}

// The order inside an index: as the full internal name of the entry is encoded, whatever its constant start adds.
Bytes ModelShard::part(BytesView text) const {
  return order_ == KeyOrder::natural ? Bytes(text) : encode_key(order_, "x/" + Bytes(text));
}

std::vector<ModelShard::Entry> ModelShard::index(BytesView name) const {
  std::vector<Entry> entries;
  for (const auto& [encoded, record] : records_) {
    std::set<Bytes> seen;
    for (const auto& [index, secondary] : record.indexes)
      if (index == name && seen.insert(secondary).second)
        entries.push_back({part(secondary + '\x01' + path_escape(record.key)), secondary, &record});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.sorted < b.sorted; });
  return entries;
}

GetOutcome ModelShard::get(const Get& get) const {
  const auto show = [&](const Record& record) {
    return GetOutcome{Status::ok, record.version, get.include_value ? record.value : Bytes{}, std::nullopt, std::nullopt};
  };
  struct Candidate {
    Bytes sorted;
    const Record* record;
    std::optional<Bytes> secondary;
  };
  std::vector<Candidate> candidates;
  Bytes wanted;
  if (get.index) {
    // Entries with one secondary key count as equal to it.
    wanted = part(Bytes(get.key) + '\x01');
    for (const Entry& entry : index(*get.index))
      candidates.push_back({entry.secondary == get.key ? wanted : entry.sorted, entry.record, entry.secondary});
  } else {
    wanted = encode_key(order_, get.key);
    for (const auto& [encoded, record] : records_)
      if (!is_internal(record.key) || get.comparison == Comparison::equal) candidates.push_back({encoded, &record, std::nullopt});
  }
  const Candidate* found = nullptr;
  for (const Candidate& one : candidates) {
    const bool first_of_equals = one.sorted == wanted && !(found && found->sorted == wanted);
    switch (get.comparison) {
      case Comparison::equal:
        if (first_of_equals) found = &one;
        break;
      case Comparison::floor:
        if (one.sorted < wanted || first_of_equals) found = &one;
        break;
      case Comparison::lower:
        if (one.sorted < wanted) found = &one;
        break;
      case Comparison::ceiling:
        if (one.sorted >= wanted && !found) found = &one;
        break;
      case Comparison::higher:
        if (one.sorted > wanted && !found) found = &one;
        break;
    }
  }
  if (!found) return not_found;
  GetOutcome outcome = show(*found->record);
  if (get.index || get.comparison != Comparison::equal) outcome.key = found->record->key;
  outcome.secondary_key = found->secondary;
  return outcome;
}

std::vector<GetOutcome> ModelShard::scan(const Range& range) const {
  std::vector<GetOutcome> shown;
  const auto add = [&](const Record& r, std::optional<Bytes> secondary) {
    shown.push_back({Status::ok, r.version, r.value, r.key, std::move(secondary)});
  };
  if (range.index) {
    for (const Entry& entry : index(*range.index))
      if ((range.start.empty() || entry.sorted >= part(range.start)) && (range.end.empty() || entry.sorted < part(range.end)))
        add(*entry.record, entry.secondary);
    return shown;
  }
  for (const auto& [encoded, record] : records_)
    if (!is_internal(record.key) && (range.start.empty() || encoded >= encode_key(order_, range.start)) &&
        (range.end.empty() || encoded < encode_key(order_, range.end)))
      add(record, std::nullopt);
  return shown;
}

}  // namespace skerry::store::testing
