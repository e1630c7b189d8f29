// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/assert.hpp"
#include "store/evaluator.hpp"

namespace skerry::store {
namespace {

constexpr Step kinds_in_order[] = {Step::put, Step::erase, Step::erase_range};

std::size_t count_of(const WriteRequest& request, Step kind) {
  switch (kind) {
    case Step::put: return request.puts.size();
    case Step::erase: return request.deletes.size();
    case Step::erase_range: return request.delete_ranges.size();
  }
  return 0;
}

std::vector<Step> steps_of(const WriteRequest& request) {
  std::vector<Step> steps(request.steps.begin(), request.steps.end());
  if (!steps.empty()) return steps;
  for (const Step kind : kinds_in_order) steps.insert(steps.end(), count_of(request, kind), kind);
  return steps;
}

}  // namespace

// Everything is staged as if it would stand, and thrown away when something fails.
WriteOutcome Evaluator::write_all_or_nothing(const WriteRequest& request) {
  atomic_ = true;
  WriteOutcome outcome;
  std::optional<Rejection> rejection = check_guards(request.guards);
  if (!rejection) rejection = take_steps(request, outcome);
  if (!rejection) return outcome;
  forget_changes();
  return {{}, {}, {}, rejection};
}

std::optional<VersionId> Evaluator::version_of(BytesView key) {
  const std::optional<RecordView> record = find_record(encode_key(state_.order, key));
  return record ? std::optional(record->version_id) : std::nullopt;
}

// All of them are looked at, so that one trip to the disk serves what is cold.
std::optional<Rejection> Evaluator::check_guards(std::span<const Guard> guards) {
  std::optional<Rejection> rejection;
  for (std::size_t at = 0; at < guards.size(); ++at) {
    const Guard& guard = guards[at];
    const std::optional<VersionId> found = version_of(guard.key);
    bool holds = false;
    switch (guard.kind) {
      case Guard::Kind::exists: holds = found.has_value(); break;
      case Guard::Kind::absent: holds = !found; break;
      case Guard::Kind::version: holds = found == guard.version; break;
    }
    if (!holds && !rejection) {
      rejection = Rejection{Rejection::Part::guard, static_cast<std::uint32_t>(at), Status::ok, found};
    }
  }
  return rejection;
}

// Deleting what is not there leaves what was asked for, so it fails only where a version was expected.
std::optional<Rejection> Evaluator::take_steps(const WriteRequest& request, WriteOutcome& outcome) {
  std::size_t puts = 0, deletes = 0, ranges = 0;
  std::uint32_t position = 0;
  for (const Step step : steps_of(request)) {
    Status status = Status::ok;
    BytesView key;
    switch (step) {
      case Step::put: {
        const Put& one = request.puts[puts++];
        key = one.key;
        status = outcome.puts.emplace_back(put(one)).status;
        break;
      }
      case Step::erase: {
        const Delete& one = request.deletes[deletes++];
        key = one.key;
        status = outcome.deletes.emplace_back(erase(one));
        if (status == Status::key_not_found) status = Status::ok;
        break;
      }
      case Step::erase_range:
        erase_range(request.delete_ranges[ranges++]);
        outcome.delete_ranges.push_back(Status::ok);
        break;
    }
    // With something cold nothing is decided: the rest is looked at too, so that it is loaded in one go.
    if (status != Status::ok && needs_.empty()) return Rejection{Rejection::Part::operation, position, status, version_of(key)};
    ++position;
  }
  SKERRY_ASSERT(puts == request.puts.size() && deletes == request.deletes.size() && ranges == request.delete_ranges.size());
  return std::nullopt;
}

void Evaluator::forget_changes() {
  staged_.clear();
  effects_.clear();
  counters_ = state_.tail;
  counters_.last_stamp = stamp_;
}

// What this entry itself wrote into a range that it erases now. A later put of the entry would have the same stamp, and what is
// orphaned here would look like its own.
void Evaluator::forget_owned(BytesView start, BytesView end) {
  std::vector<std::pair<Bytes, Bytes>> written;
  if (staged_.points(Space::records).empty()) return;
  const auto& points = staged_.points(Space::records).ordered();
  for (auto at = points.lower_bound(start); at != points.end() && at->first < end; ++at)
    if (at->second->value()) written.emplace_back(at->first, *at->second->value());
  for (const auto& [encoded, value] : written) {
    const auto record = decode_record(value);
    SKERRY_ASSERT(record.has_value());   // it was made a moment ago
    const Bytes key = decode_key(state_.order, encoded);
    replace_indexes(key, record->indexes(), {});
    replace_shadow(key, record->session, std::nullopt);
    replace_expiry(key, record->expires_millis, std::nullopt);
  }
}

}  // namespace skerry::store
