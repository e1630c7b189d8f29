// SPDX-License-Identifier: Apache-2.0
#include "sim/store_model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sim {

using store::NotificationKind;
using store::Status;

bool StoreModel::KeyLess::operator()(BytesView a, BytesView b) const {
  if (order == store::KeyOrder::natural) return a < b;
  const auto depth_a = std::ranges::count(a, '/'), depth_b = std::ranges::count(b, '/');
  if (depth_a != depth_b) return depth_a < depth_b;
  const auto rank = [](char c) { return c == '/' ? 0xFF : static_cast<int>(static_cast<unsigned char>(c)); };
  return std::ranges::lexicographical_compare(a, b, {}, rank, rank);
}

void StoreModel::tell(const Bytes& key, NotificationKind kind, std::optional<VersionId> version, Bytes end) {
  notifications_[key] = {key, kind, version, std::move(end)};
}

store::WriteOutcome StoreModel::write(const Operation& operation) {
  notifications_.clear();
  if (operation.id) {
    const auto found = answered_.find(*operation.id);
    if (found != answered_.end()) return found->second;
  }
  store::WriteOutcome outcome;
  for (const auto& each : operation.puts) outcome.puts.push_back(put(each));
  for (const auto& each : operation.deletes) outcome.deletes.push_back(erase(each));
  for (const auto& each : operation.ranges) {
    erase_range(each);
    outcome.delete_ranges.push_back(Status::ok);
  }
  if (operation.id) answered_[*operation.id] = outcome;
  return outcome;
}

store::PutOutcome StoreModel::put(const Operation::Put& put) {
  store::PutOutcome outcome;
  const Bytes key = put.delta == 0 ? put.key : next_in_sequence(put.key, put.delta);
  const auto existing = records_.find(key);
  const bool exists = existing != records_.end();
  if (put.expected && *put.expected != (exists ? existing->second.version : store::must_not_exist)) {
    outcome.status = Status::unexpected_version_id;
    return outcome;
  }
  if (put.session && !sessions_.contains(*put.session)) {
    outcome.status = Status::session_does_not_exist;
    return outcome;
  }
  Record record{put.value, next_version_, exists ? existing->second.modifications + 1 : 0, put.session};
  next_version_ = next_version_.next();
  tell(key, exists ? NotificationKind::modified : NotificationKind::created, record.version);
  outcome.version.version_id = record.version;
  outcome.version.modifications = record.modifications;
  outcome.version.session = record.session;
  if (put.delta != 0) outcome.key = key;
  records_.insert_or_assign(key, std::move(record));
  return outcome;
}

Bytes StoreModel::next_in_sequence(const Bytes& prefix, std::uint64_t delta) const {
  std::uint64_t last = 0;
  for (const auto& [key, record] : records_) {
    if (key.starts_with(prefix + '-'))
      last = std::max(last, static_cast<std::uint64_t>(std::stoull(key.substr(prefix.size() + 1))));
  }
  return fmt::format("{}-{:020}", prefix, last + delta);
}

Status StoreModel::erase(const Operation::Delete& request) {
  const auto existing = records_.find(request.key);
  const bool exists = existing != records_.end();
  if (request.expected && *request.expected != (exists ? existing->second.version : store::must_not_exist)) {
    return Status::unexpected_version_id;
  }
  if (!exists) return Status::key_not_found;
  records_.erase(existing);
  tell(request.key, NotificationKind::deleted);
  return Status::ok;
}

void StoreModel::erase_range(const Operation::Range& range) {
  tell(range.start, NotificationKind::range_deleted, std::nullopt, range.end);
  if (range.end.empty() || !records_.key_comp()(range.start, range.end)) return;
  records_.erase(records_.lower_bound(range.start), records_.lower_bound(range.end));
}

void StoreModel::create_session(SessionId session) {
  notifications_.clear();
  sessions_.insert(session);
  next_version_ = next_version_.next();
}

void StoreModel::end_sessions(const std::vector<SessionId>& sessions) {
  notifications_.clear();
  for (const SessionId session : sessions) {
    sessions_.erase(session);
    for (auto at = records_.begin(); at != records_.end();) {
      if (at->second.session != session) {
        ++at;
        continue;
      }
      tell(at->first, NotificationKind::deleted);
      at = records_.erase(at);
    }
  }
}

}  // namespace skerry::sim
