// SPDX-License-Identifier: Apache-2.0
#include "store/testing/test_shard.hpp"

#include "store/testing/run.hpp"

namespace skerry::store::testing {
namespace {

std::vector<std::string> dump_engine(ShardEngine& engine) {
  static constexpr const char* names[] = {"", "records", "indexes", "sessions", "shadows", "requests", "meta", "expiries"};
  std::vector<std::string> lines;
  for (auto space = static_cast<int>(Space::records); space < static_cast<int>(space_count); ++space) {
    const auto cursor = engine.cursor(static_cast<Space>(space));
    for (cursor->seek({}); cursor->state() == Cursor::State::record; cursor->next())
      lines.push_back(std::string(names[space]) + ' ' + printable(cursor->key()) + " = " + printable(cursor->value(), 4096));
  }
  return lines;
}

}  // namespace

TestShard::TestShard(KeyOrder order, ShardId shard, double cold, std::uint64_t seed)
    : order_(order), id_(shard), cold_engine_(**engine_.shard(shard), seed, cold) {
  restart();
}

void TestShard::restart() {
  in_flight_.clear();
  machine_ = std::make_unique<StateMachine>(id_, order_, cold_engine_);
  SKERRY_ASSERT(run(core_, machine_->open()).has_value());
}

Offset TestShard::next_offset() const {
  return Offset(machine_->applied().value() + 1 + static_cast<std::int64_t>(in_flight_.size()));
}

void TestShard::propose(const Proposal& proposal) {
  if (!proposal.entry.empty()) in_flight_.push_back(proposal.entry);
}

template <class Evaluate>
std::variant<Proposal, Error> TestShard::settle(Evaluate evaluate) {
  for (;;) {
    Evaluation evaluation = evaluate(next_offset(), next_stamp());
    if (auto* needs = std::get_if<Needs>(&evaluation)) {
      SKERRY_ASSERT(run(core_, machine_->load(std::move(*needs))).has_value());
      continue;
    }
    if (auto* error = std::get_if<Error>(&evaluation)) return std::move(*error);
    propose(std::get<Proposal>(evaluation));
    return std::get<Proposal>(std::move(evaluation));
  }
}

std::variant<Proposal, Error> TestShard::write(const WriteRequest& request, const std::optional<RequestId>& id) {
  if (auto checked = machine_->check(request); !checked) return std::move(checked).error();
  return settle([&](Offset offset, Stamp stamp) { return machine_->evaluate(request, offset, stamp, id); });
}

Proposal TestShard::create_session(std::chrono::milliseconds timeout, BytesView identity) {
  Proposal proposal = machine_->evaluate_create_session(timeout, identity, next_offset(), next_stamp());
  propose(proposal);
  return proposal;
}

std::variant<Proposal, Error> TestShard::end_sessions(std::vector<SessionId> sessions) {
  return settle([&](Offset offset, Stamp stamp) { return machine_->evaluate_end_sessions(sessions, offset, stamp); });
}

std::variant<Proposal, Error> TestShard::sweep() {
  return settle([&](Offset offset, Stamp stamp) { return machine_->evaluate_sweep(offset, stamp); });
}

std::variant<Proposal, Error> TestShard::expire() {
  return settle([&](Offset offset, Stamp stamp) { return machine_->evaluate_expire(offset, stamp); });
}

Proposal TestShard::barrier(Term term) {
  Proposal proposal = machine_->evaluate_barrier(next_offset(), next_stamp(), term);
  propose(proposal);
  return proposal;
}

Applied TestShard::commit() {
  Result<Applied> applied = machine_->apply(machine_->applied().next(), in_flight_.front());
  SKERRY_ASSERT(applied.has_value());
  log_.push_back(std::move(in_flight_.front()));
  in_flight_.pop_front();
  return *std::move(applied);
}

void TestShard::commit_all() {
  while (anything_in_flight()) commit();
}

void TestShard::drop() {
  in_flight_.clear();
  machine_->drop_overlay();
}

std::vector<std::string> TestShard::dump() const { return dump_engine(**const_cast<MemoryEngine&>(engine_).shard(id_)); }

std::vector<std::string> TestShard::dump_of_replay() const {
  MemoryEngine engine;
  ShardEngine& shard = **engine.shard(id_);
  StateMachine machine(id_, order_, shard);
  SKERRY_ASSERT(run(core_, machine.open()).has_value());
  for (const Bytes& entry : log_) SKERRY_ASSERT(machine.apply(machine.applied().next(), entry).has_value());
  return dump_engine(shard);
}

GetOutcome TestShard::get(const Get& get) {
  SKERRY_ASSERT(machine_->check(get).has_value());
  for (;;) {
    auto result = machine_->get(get);
    if (auto* outcome = std::get_if<GetOutcome>(&result)) return std::move(*outcome);
    SKERRY_ASSERT(std::holds_alternative<Needs>(result));
    SKERRY_ASSERT(run(core_, machine_->load(std::get<Needs>(std::move(result)))).has_value());
  }
}

std::optional<Bytes> TestShard::highest_sequence_key(BytesView prefix) {
  for (;;) {
    auto result = machine_->highest_sequence_key(prefix);
    if (auto* key = std::get_if<std::optional<Bytes>>(&result)) return std::move(*key);
    SKERRY_ASSERT(std::holds_alternative<Needs>(result));
    SKERRY_ASSERT(run(core_, machine_->load(std::get<Needs>(std::move(result)))).has_value());
  }
}

std::vector<GetOutcome> TestShard::scan(Range range, StateMachine::ScanKind kind) {
  std::vector<GetOutcome> records;
  const auto scan = machine_->scan(std::move(range), kind);
  while (scan->state() != Scan::State::end) {
    SKERRY_ASSERT(scan->state() != Scan::State::failed);
    if (scan->state() == Scan::State::cold) {
      SKERRY_ASSERT(run(core_, scan->load()).has_value());
      continue;
    }
    records.push_back(scan->record());
    scan->next();
  }
  return records;
}

std::vector<Bytes> TestShard::list(Range range) {
  std::vector<Bytes> keys;
  for (GetOutcome& record : scan(std::move(range), StateMachine::ScanKind::keys)) keys.push_back(*std::move(record.key));
  return keys;
}

}  // namespace skerry::store::testing
