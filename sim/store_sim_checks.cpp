// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "replica/shard_error.hpp"
#include "sim/note.hpp"

namespace skerry::sim {

using store::Comparison;

void StoreSim::fail_run(std::string what) {
  if (!report_.failure.empty()) return;
  note("FAILED: ", what);
  report_.failure = std::move(what);
}

// Brings the model up to what the shard has committed, judging each answer on the way. The shard applies and answers in one go,
// so between two turns its committed state is exactly the model's.
void StoreSim::advance() {
  while (report_.failure.empty() && machine_.running() && machine_.shard() != nullptr && advance_one()) {
  }
  check_notifications();
}

bool StoreSim::advance_one() {
  if (in_flight_.empty()) return false;
  const FlightPtr flight = in_flight_.front();
  const bool write = flight->kind == Flight::Kind::write;
  const bool committed = flight->offset != no_offset && flight->offset <= machine_.shard()->commit();
  if (!committed && write && flight->ticket.ready() && !flight->taken) {
    const auto answer = *take_answer(*flight);
    if (flight->offset == no_offset && answer) {   // changes nothing
      in_flight_.pop_front();
      check_answer(*flight, model_.write(flight->operation), answer);
      if (!model_.notifications().empty()) fail_run("a write that changes nothing had to tell something");
      return true;
    }
    if (answer) {
      fail_run(fmt::format("entry {} was answered before it was committed", flight->offset.value()));
      return false;
    }
    const bool unknown = answer.error() == make_error_code(replica::ShardError::outcome_unknown);
    if (!unknown && answer.error() != make_error_code(replica::ShardError::log_stopped)) {
      fail_run("a write was refused: " + answer.error().message());
    }
    if (!unknown && flight->offset == no_offset) in_flight_.pop_front();
    flight->refused = !unknown;
    if (!stopped_) ++report_.log_stops;
    stopped_ = true;
    return !unknown && flight->offset == no_offset;
  }
  if (!committed || !flight->resolved) return false;
  in_flight_.pop_front();
  if (write && !flight->ticket.ready()) fail_run("what is committed was not answered");
  apply(*flight, take_answer(*flight));
  return true;
}

std::optional<Result<store::WriteOutcome>> StoreSim::take_answer(Flight& flight) {
  if (flight.kind != Flight::Kind::write || flight.taken || !flight.ticket.ready()) return std::nullopt;
  flight.taken = true;
  return flight.ticket.take();
}

void StoreSim::apply(const Flight& flight, const std::optional<Result<store::WriteOutcome>>& answer) {
  switch (flight.kind) {
    case Flight::Kind::write: {
      const store::WriteOutcome expected = model_.write(flight.operation);
      if (answer) check_answer(flight, expected, *answer);
      break;
    }
    case Flight::Kind::create_session: model_.create_session(flight.sessions.front()); break;
    case Flight::Kind::end_sessions: model_.end_sessions(flight.sessions); break;
  }
  applied_ = std::max(applied_, flight.offset);
  if (!model_.notifications().empty()) told_.emplace_back(flight.offset, model_.notifications());
}

void StoreSim::check_answer(const Flight& flight, const store::WriteOutcome& expected,
                            const Result<store::WriteOutcome>& answer) {
  if (!answer) return fail_run("a committed write was answered with an error: " + answer.error().message());
  ++report_.answered;
  const auto at = [&] { return fmt::format("entry {}", flight.offset.value()); };
  if (answer->puts.size() != expected.puts.size()) return fail_run(at() + ": wrong number of answers");
  for (std::size_t i = 0; i < expected.puts.size(); ++i) {
    const auto &found = answer->puts[i], &wanted = expected.puts[i];
    if (found.status != wanted.status || found.key != wanted.key) {
      return fail_run(fmt::format("{}: put {} of {} answered {} {}, expected {} {}", at(), i, flight.operation.puts[i].key,
                                  static_cast<int>(found.status), found.key.value_or(""), static_cast<int>(wanted.status),
                                  wanted.key.value_or("")));
    }
    if (wanted.status != store::Status::ok) continue;
    if (found.version.version_id != wanted.version.version_id || found.version.modifications != wanted.version.modifications ||
        found.version.session != wanted.version.session || found.version.created_millis > found.version.modified_millis) {
      return fail_run(fmt::format("{}: put {} got version {} after {} modifications, expected {} after {}", at(), i,
                                  found.version.version_id.value(), found.version.modifications,
                                  wanted.version.version_id.value(), wanted.version.modifications));
    }
  }
  if (answer->deletes != expected.deletes || answer->delete_ranges != expected.delete_ranges) {
    fail_run(at() + ": a delete was answered wrongly");
  }
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
  if (compared_ < received_.size() && in_flight_.empty()) fail_run("the follower was told of a change that never was");
}

void StoreSim::get() {
  advance();
  if (!in_flight_.empty() && !in_flight_.front()->resolved) return;   // the model lags
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
  if (!in_flight_.empty() && !in_flight_.front()->resolved) co_return;
  const Bytes start = any_key(), end = any_key();
  StoreModel::Records wanted(model_.records().key_comp());
  for (auto at = model_.records().lower_bound(start); at != model_.records().end() && model_.records().key_comp()(at->first, end); ++at) {
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
  if ((*scan)->state() != store::Scan::State::end || at != wanted.end()) fail_run(fmt::format("a scan from {} to {} ends early", start, end));
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
  if (sessions != model_.sessions()) co_return fail_run(fmt::format("{} sessions live, expected {}", sessions.size(), model_.sessions().size()));
}

}  // namespace skerry::sim
