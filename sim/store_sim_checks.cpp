// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "replica/shard_error.hpp"
#include "sim/note.hpp"
#include "store/layout.hpp"

namespace skerry::sim {

using store::Comparison;

void StoreSim::fail_run(std::string what) {
  if (!report_.failure.empty()) return;
  note("FAILED: ", what);
  report_.failure = std::move(what);
}

// An entry of an earlier process at this place, or above it, has not lasted.
void StoreSim::on_append(Offset offset, BytesView bytes) {
  const auto entry = store::decode_entry(bytes);
  if (!entry) return fail_run("the shard logs an entry that can't be decoded");
  logged_.erase(logged_.lower_bound(offset), logged_.end());
  Logged& logged = logged_[offset];
  logged.kind = entry->header.kind;
  if (logged.kind == store::EntryKind::barrier) cut_ = std::min(cut_, offset);
  for (const store::Effect& effect : entry->effects) {
    if (effect.space != store::Space::sessions) continue;
    const SessionId session = *store::decode_session_key(effect.key);
    logged.sessions.push_back(session);
    if (effect.action == store::Effect::Action::put) {
      timeouts_[session] = store::decode_session(effect.value)->timeout;
      heard_[session] = machine_.core().now();
    } else if (!closing_.contains(session)) {
      expired(session);
    }
  }
}

void StoreSim::expired(SessionId session) {
  ++report_.sessions_expired;
  note("session ", session.value(), " expires");
  const Duration silent = machine_.core().now() - heard_[session];
  if (silent < timeouts_[session]) {
    fail_run(fmt::format("session {} was ended after {} ms of silence, its timeout is {} ms", session.value(),
                         silent.count() / 1'000'000, timeouts_[session].count()));
  }
}

// Brings the model up to what the shard has committed, judging each answer on the way. The shard applies and answers in one go,
// so between two turns its committed state is exactly the model's.
void StoreSim::advance() {
  while (report_.failure.empty() && machine_.running() && machine_.shard() != nullptr && advance_one()) {}
  check_notifications();
}

bool StoreSim::take_answer(Flight& flight) {
  if (!flight.answer && flight.ticket.ready()) flight.answer = flight.ticket.take();
  return flight.answer.has_value();
}

// One entry, or one write that made none: that stood somewhere between the entries around it, and fits one such place.
bool StoreSim::advance_one() {
  const bool more = applied_ < machine_.shard()->commit();
  if (!in_flight_.empty() && in_flight_.front()->offset() == no_offset && take_answer(*in_flight_.front())) {
    const FlightPtr flight = in_flight_.front();
    if (!*flight->answer) {
      in_flight_.pop_front();
      if (quiet_ && flight->answer->error() == make_error_code(replica::ShardError::not_serving)) return true;
      if (flight->answer->error() != make_error_code(replica::ShardError::log_stopped)) {
        fail_run("a write was refused: " + flight->answer->error().message());
      }
      report_.log_stops += stopped_ ? 0 : 1;
      stopped_ = true;
      return true;
    }
    if (changes_nothing_as_answered(*flight)) {
      ++report_.answered;
      in_flight_.pop_front();
      return true;
    }
    if (!more) fail_run("a write that made no entry was answered wrongly");
  }
  if (!more) return false;
  apply_entry(applied_.next());
  return true;
}

bool StoreSim::changes_nothing_as_answered(const Flight& flight) const {
  StoreModel trial = model_;
  const store::WriteOutcome expected = trial.write(flight.operation);
  return trial.notifications().empty() && judge(flight.operation, expected, **flight.answer).empty();
}

void StoreSim::apply_entry(Offset offset) {
  applied_ = offset;
  const auto found = logged_.find(offset);
  if (found == logged_.end()) return fail_run(fmt::format("entry {} is committed, but nobody logged it", offset.value()));
  const Logged logged = found->second;
  logged_.erase(found);
  switch (logged.kind) {
    case store::EntryKind::write: apply_write(offset); break;
    case store::EntryKind::create_session: model_.create_session(logged.sessions.front()); break;
    case store::EntryKind::end_sessions: model_.end_sessions(logged.sessions); break;
    case store::EntryKind::barrier:
    case store::EntryKind::sweep: return;
    case store::EntryKind::expire:
      return fail_run(fmt::format("entry {} expires records, but none was given a time", offset.value()));
  }
  if (!model_.notifications().empty()) told_.emplace_back(offset, model_.notifications());
}

void StoreSim::apply_write(Offset offset) {
  if (in_flight_.empty() || in_flight_.front()->offset() != offset) {
    return fail_run(fmt::format("entry {} holds a write that nobody asked for now", offset.value()));
  }
  const FlightPtr flight = in_flight_.front();
  in_flight_.pop_front();
  const store::WriteOutcome expected = model_.write(flight->operation);
  if (!take_answer(*flight) || !*flight->answer) return;   // a crash, or a log that stopped, took the answer
  ++report_.answered;
  const std::string wrong = judge(flight->operation, expected, **flight->answer);
  if (!wrong.empty()) fail_run(fmt::format("entry {}: {}", offset.value(), wrong));
}

std::string StoreSim::judge(const Operation& operation, const store::WriteOutcome& expected, const store::WriteOutcome& found) {
  if (found.puts.size() != expected.puts.size()) return "wrong number of answers";
  for (std::size_t i = 0; i < expected.puts.size(); ++i) {
    const auto &got = found.puts[i], &wanted = expected.puts[i];
    if (got.status != wanted.status || got.key != wanted.key) {
      return fmt::format("put {} of {} answered {} {}, expected {} {}", i, operation.puts[i].key, static_cast<int>(got.status),
                         got.key.value_or(""), static_cast<int>(wanted.status), wanted.key.value_or(""));
    }
    if (wanted.status != store::Status::ok) continue;
    if (got.version.version_id != wanted.version.version_id || got.version.modifications != wanted.version.modifications ||
        got.version.session != wanted.version.session || got.version.created_millis > got.version.modified_millis) {
      return fmt::format("put {} got version {} after {} modifications, expected {} after {}", i, got.version.version_id.value(),
                         got.version.modifications, wanted.version.version_id.value(), wanted.version.modifications);
    }
  }
  if (found.deletes != expected.deletes || found.delete_ranges != expected.delete_ranges) return "a delete was answered wrongly";
  return {};
}

void StoreSim::check_notifications() {
  for (; compared_ < received_.size() && compared_ < told_.size() && report_.failure.empty(); ++compared_) {
    const store::NotificationBatch& batch = received_[compared_];
    const auto& [offset, wanted] = told_[compared_];
    if (batch.offset != offset || batch.notifications.size() != wanted.size()) {
      return fail_run(fmt::format("the follower was told of entry {} with {} changes where entry {} with {} was due",
                                  batch.offset.value(), batch.notifications.size(), offset.value(), wanted.size()));
    }
    for (const store::Notification& found : batch.notifications) {
      const auto at = wanted.find(found.key);
      if (at == wanted.end() || at->second.kind != found.kind || at->second.version_id != found.version_id ||
          at->second.range_end != found.range_end) {
        return fail_run(fmt::format("the follower was told something wrong of {} in entry {}", found.key, offset.value()));
      }
    }
  }
  if (compared_ < received_.size() && received_[compared_].offset <= applied_)
    fail_run("the follower was told of a change that never was");
}

void StoreSim::get() {
  advance();
  const Bytes key = any_key();
  const store::Get get{key, static_cast<Comparison>(world_.random.below(5)), true, std::nullopt};
  const auto found = machine_.shard()->try_get(get);
  ++report_.reads;
  if (!found || !*found) return fail_run("a read failed");
  compare_get(get, **found);
}

void StoreSim::compare_get(const store::Get& get, const store::GetOutcome& found) {
  const auto& records = model_.records();
  auto wanted = records.end();
  const auto before = [&](auto at) { return at == records.begin() ? records.end() : std::prev(at); };
  const Bytes key(get.key);
  switch (get.comparison) {
    case Comparison::equal: wanted = records.find(key); break;
    case Comparison::floor: wanted = before(records.upper_bound(key)); break;
    case Comparison::ceiling: wanted = records.lower_bound(key); break;
    case Comparison::lower: wanted = before(records.lower_bound(key)); break;
    case Comparison::higher: wanted = records.upper_bound(key); break;
  }
  const bool exists = wanted != records.end();
  const auto where = [&] { return fmt::format("get of {} (comparison {})", get.key, static_cast<int>(get.comparison)); };
  if (found.status != (exists ? store::Status::ok : store::Status::key_not_found)) {
    return fail_run(where() + (exists ? " finds nothing" : " finds what is not there"));
  }
  if (!exists) return;
  if (get.comparison != Comparison::equal && found.key != wanted->first) {
    return fail_run(fmt::format("{} finds {}, expected {}", where(), found.key.value_or("nothing"), wanted->first));
  }
  if (found.value != wanted->second.value || found.version.version_id != wanted->second.version ||
      found.version.modifications != wanted->second.modifications || found.version.session != wanted->second.session) {
    fail_run(where() + " finds another record than was written");
  }
}

// A range, against the model's state at this moment, however long the scan takes.
Task<> StoreSim::scan() {
  advance();
  const Bytes start = any_key(), end = any_key();
  StoreModel::Records wanted(model_.records().key_comp());
  for (auto at = model_.records().lower_bound(start); at != model_.records().end() && model_.records().key_comp()(at->first, end);
       ++at) {
    wanted.insert(*at);
  }
  ++report_.reads;
  auto scan = machine_.shard()->scan({start, end, std::nullopt, false}, store::StateMachine::ScanKind::records);
  if (!scan) co_return fail_run("a scan is refused: " + scan.error().message());
  auto at = wanted.begin();
  for (; (*scan)->state() == store::Scan::State::record; (*scan)->next(), ++at) {
    const store::GetOutcome found = (*scan)->record();
    if (at == wanted.end() || (*scan)->key() != at->first || found.value != at->second.value ||
        found.version.version_id != at->second.version) {
      co_return fail_run(fmt::format("a scan from {} to {} finds {} wrongly", start, end, (*scan)->key()));
    }
    if (world_.random.chance(0.2)) co_await machine_.core().sleep_for(1ms);
  }
  if ((*scan)->state() != store::Scan::State::end || at != wanted.end())
    fail_run(fmt::format("a scan from {} to {} ends early", start, end));
}

// The whole state: records, counters and sessions, as a client that looks at everything sees them.
Task<> StoreSim::check_everything() {
  auto scan = machine_.shard()->scan({{}, {}, std::nullopt, true}, store::StateMachine::ScanKind::records);
  if (!scan) co_return fail_run("a scan is refused: " + scan.error().message());
  auto at = model_.records().begin();
  std::set<SessionId> sessions;
  constexpr BytesView session_prefix = "__oxia/session/";
  for (; (*scan)->state() == store::Scan::State::record; (*scan)->next()) {
    const BytesView key = (*scan)->key();
    if (key.starts_with(store::internal_prefix)) {
      if (!key.starts_with(session_prefix) || key.size() != session_prefix.size() + 16) continue;
      sessions.insert(SessionId(std::stoll(Bytes(key.substr(session_prefix.size())), nullptr, 16)));
      continue;
    }
    const store::GetOutcome found = (*scan)->record();
    if (at == model_.records().end() || key != at->first) {
      co_return fail_run(fmt::format("{} is there, expected {}", key, at == model_.records().end() ? "nothing" : at->first));
    }
    if (found.value != at->second.value || found.version.version_id != at->second.version ||
        found.version.modifications != at->second.modifications || found.version.session != at->second.session) {
      co_return fail_run(fmt::format("{} is not what was written", key));
    }
    ++at;
  }
  if (at != model_.records().end()) co_return fail_run(fmt::format("{} is gone", at->first));
  if (sessions != model_.sessions())
    co_return fail_run(fmt::format("{} sessions live, expected {}", sessions.size(), model_.sessions().size()));
}

}  // namespace skerry::sim
