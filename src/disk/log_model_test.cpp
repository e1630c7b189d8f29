// SPDX-License-Identifier: Apache-2.0
// The log against a model of itself, on a disk that forgets: random records, crashes and openings, hundreds of seeds.
// SKERRY_SEED=n runs that seed alone; SKERRY_SEEDS=n runs that many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <vector>

#include "base/sanitized.hpp"
#include "disk/log.hpp"
#include "disk/log_inspect.hpp"
#include "disk/testing/log_world.hpp"

namespace skerry::disk {
namespace {

struct ModelEntry {
  Term term;
  Bytes payload;
  bool operator==(const ModelEntry&) const = default;
};

struct ModelShard {
  Term term = no_term;
  std::map<Offset, ModelEntry> entries;
  Offset last = no_offset;
  Term last_term = no_term;   // of `last`
  std::map<Offset, Term> terms;   // of entries that may have been trimmed, and of the snapshot
  Offset snapshot = no_offset;
  MembershipVersion version{0};
  bool operator==(const ModelShard&) const = default;

  LogShard shown() const {
    return {.term = term,
            .first = entries.empty() ? no_offset : entries.begin()->first,
            .last = last,
            .last_term = last_term,
            .snapshot = snapshot,
            .version = version};
  }
};
using Model = std::map<ShardId, ModelShard>;

// A record as the test makes it: applied to the model, and to the log.
struct Step {
  enum Kind { append, term, truncate, snapshot, remove, trim } kind;
  ShardId shard;
  Term term_value;
  Offset offset;
  Bytes payload;
};

void change(Model& model, const Step& step) {
  if (step.kind == Step::remove) {
    model.erase(step.shard);
    return;
  }
  ModelShard& shard = model[step.shard];
  switch (step.kind) {
    case Step::append:
      shard.entries[step.offset] = {step.term_value, step.payload};
      shard.terms[step.offset] = step.term_value;
      shard.last = step.offset;
      shard.term = std::max(shard.term, step.term_value);
      break;
    case Step::term:
      shard.term = step.term_value;
      shard.version = std::max(shard.version, MembershipVersion(step.offset.value()));
      break;
    case Step::truncate:
      shard.entries.erase(shard.entries.upper_bound(step.offset), shard.entries.end());
      shard.terms.erase(shard.terms.upper_bound(step.offset), shard.terms.end());
      shard.last = step.offset;
      break;
    case Step::snapshot:
      shard.entries.clear();
      shard.terms = {{step.offset, step.term_value}};
      shard.last = shard.snapshot = step.offset;
      shard.term = std::max(shard.term, step.term_value);
      break;
    case Step::trim: shard.entries.erase(shard.entries.begin(), shard.entries.lower_bound(step.offset)); break;
    case Step::remove: break;
  }
  shard.last_term = shard.last == no_offset ? no_term : shard.terms.at(shard.last);
}

class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed)
      : chance_(seed), world_({.segment_bytes = 8192 + 1024 * chance_.below(24),
                               .spare_segments_max = chance_.below(4),
                               .durable = chance_.chance(0.15) ? Durable::no : Durable::yes},
                              chance_.next()) {}

  void go() {
    ASSERT_TRUE(world_.open());
    for (int life = 0; life < 6 && !testing::Test::HasFatalFailure(); ++life) {
      const std::uint64_t steps = 1 + chance_.below(400);
      for (std::uint64_t i = 0; i < steps && !broken_ && !testing::Test::HasFatalFailure(); ++i) act();
      if (!testing::Test::HasFatalFailure()) end_life();
    }
  }

 private:
  void act() {
    const std::uint64_t what = chance_.below(100);
    if (what < 70) {
      record(make_step());
    } else if (what < 80) {
      const auto waited = world_.sync();
      if (!waited) return fault_met(waited.error());
      synced();
    } else if (what < 90) {
      for (std::uint64_t turns = chance_.below(6); turns > 0; --turns) world_.step();
      synced();
    } else if (what == 90 && chance_.chance(0.1)) {
      (chance_.chance(0.5) ? world_.state.faults.fail_sync : world_.state.faults.fail_write) = 1 + chance_.below(4);
      faulty_ = true;
    } else if (what < 92) {
      world_.state.faults.sync_takes = Duration(chance_.below(3) * 1'000'000);
    } else {
      check_read();
    }
  }

  Step make_step() {
    const ShardId shard{static_cast<std::int64_t>(chance_.below(4))};
    const ModelShard& known = model_[shard];
    const Offset first = known.entries.empty() ? known.last.next() : known.entries.begin()->first;
    const Term newer{std::max<std::int64_t>(known.term.value(), 0) + static_cast<std::int64_t>(chance_.below(3))};
    const std::uint64_t kind = chance_.below(40);
    if (kind == 0) return {Step::remove, shard, no_term, no_offset, {}};
    if (kind == 1) {
      const auto skipped = 1 + static_cast<std::int64_t>(chance_.below(9));
      return {Step::snapshot, shard, newer, Offset(known.last.value() + skipped), {}};
    }
    if (kind <= 3) {
      const std::int64_t version = known.version.value() + static_cast<std::int64_t>(chance_.below(2));
      return {Step::term, shard, newer, chance_.chance(0.5) ? no_offset : Offset(version), {}};
    }
    if (kind <= 5) return {Step::truncate, shard, no_term, between(first.previous(), known.last), {}};
    if (kind <= 9) return {Step::trim, shard, no_term, between(first, known.last.next()), {}};
    const Term term = chance_.chance(0.8) && known.last_term != no_term ? known.last_term : newer;
    return {Step::append, shard, term, known.last.next(), payload()};
  }

  Offset between(Offset low, Offset high) {
    const auto choices = static_cast<std::uint64_t>(high.value() - low.value() + 1);
    return Offset(low.value() + static_cast<std::int64_t>(chance_.below(choices)));
  }

  Bytes payload() {
    Bytes bytes(chance_.below(chance_.chance(0.1) ? 3000 : 200), '\0');
    for (char& c : bytes) c = static_cast<char>(chance_.next());
    return bytes;
  }

  void record(const Step& step) {
    Log& log = world_.log();
    const auto sequence = world_.note([&]() -> Result<Sequence> {
      switch (step.kind) {
        case Step::append: return log.append(step.shard, step.term_value, step.offset, step.payload);
        case Step::term: return log.record_term(step.shard, step.term_value, MembershipVersion(step.offset.value()));
        case Step::truncate: return log.truncate(step.shard, step.offset);
        case Step::snapshot: return log.snapshot_installed(step.shard, step.term_value, step.offset);
        case Step::remove: return log.delete_shard(step.shard);
        case Step::trim: return log.trim(step.shard, step.offset);
      }
      return fail(Errc::internal);
    }());
    if (!sequence) return fault_met(sequence.error());
    change(model_, step);
    if (model_[step.shard] == ModelShard{}) model_.erase(step.shard);
    history_.emplace_back(*sequence, model_);
  }

  void fault_met(const Error& error) {
    ASSERT_TRUE(faulty_) << error.message();
    ASSERT_EQ(error, Errc::io_failed) << error.message();
    broken_ = true;
  }

  void synced() {
    durable_ = std::max(durable_, world_.log().synced());
    if (world_.options().durable == Durable::no) return;   // a crash may bring back any earlier state
    while (history_.size() > 1 && history_[1].first <= durable_) history_.erase(history_.begin());
  }

  void check_read() {
    for (const auto& [id, shard] : model_) {
      if (shard.entries.empty()) continue;
      const auto from = std::next(shard.entries.begin(), static_cast<std::ptrdiff_t>(chance_.below(shard.entries.size())));
      const auto entries = world_.read(id, from->first, chance_.below(5000));
      ASSERT_TRUE(entries) << entries.error().message();
      ASSERT_FALSE(entries->empty());
      auto expected = from;
      for (const LogEntry& entry : *entries) {
        ASSERT_EQ(entry.offset, expected->first);
        ASSERT_EQ((ModelEntry{entry.term, entry.payload}), expected->second);
        ++expected;
      }
    }
    synced();
  }

  void end_life() {
    synced();
    const std::uint64_t how = faulty_ ? 3 + chance_.below(7) : chance_.below(10);
    const bool whole = how < 3;   // nothing may be missing afterwards
    faulty_ = broken_ = false;
    world_.state.faults = {};
    if (how == 0) {
      ASSERT_TRUE(world_.stop());
      world_.kill();
    } else if (how == 1) {
      ASSERT_TRUE(world_.stop());
      world_.crash();
    } else if (how == 2) {
      ASSERT_TRUE(world_.sync());
      world_.kill();
    } else if (how < 5) {
      world_.kill();
    } else {
      world_.crash();
    }
    // Read whole, and by its footers.
    const auto verdict = world_.run(verify_log(world_.core(), world_.disk(), "/log"));
    ASSERT_TRUE(verdict) << verdict.error().message();
    const auto opened = world_.open();
    ASSERT_TRUE(opened) << opened.error().message();
    ASSERT_EQ(Sequence(verdict->last_sequence), world_.log().synced());
    compare(world_.log().shards(), verdict->shards);
    expect_some_state(whole, world_.options().durable == Durable::no && how >= 5);
  }

  // The log must show what the model was after some record not before the last synced one.
  void expect_some_state(bool whole, bool may_lose_synced) {
    const std::uint64_t at = world_.log().synced().value();
    if (!may_lose_synced) ASSERT_GE(at, durable_.value()) << "a synced record is lost";
    const Model* found = nullptr;
    for (const auto& [sequence, model] : history_) {
      if (sequence.value() <= at) found = &model;
    }
    ASSERT_NE(found, nullptr);
    if (whole) ASSERT_EQ(found, &history_.back().second);
    ASSERT_LE(at, history_.back().first.value()) << "a record was invented";
    model_ = *found;
    std::map<ShardId, LogShard> shown;
    for (const auto& [id, shard] : model_) shown[id] = shard.shown();
    compare(world_.log().shards(), shown);
    restart_history();
    check_read();
  }

  static void compare(const std::map<ShardId, LogShard>& log, const std::map<ShardId, LogShard>& model) {
    std::string seen, wanted;
    for (const auto& [id, shard] : log) seen += text(id, shard);
    for (const auto& [id, shard] : model) wanted += text(id, shard);
    ASSERT_EQ(seen, wanted);
  }
  static std::string text(ShardId id, const LogShard& shard) {
    return fmt::format("{}: term {} first {} last {} last_term {} snapshot {} version {}\n", id.value(), shard.term.value(),
                       shard.first.value(), shard.last.value(), shard.last_term.value(), shard.snapshot.value(),
                       shard.version.value());
  }

  void restart_history() {
    durable_ = world_.log().synced();
    history_ = {{durable_, model_}};
  }

  Random chance_;
  LogWorld world_;
  Model model_;
  std::vector<std::pair<Sequence, Model>> history_{{Sequence(0), {}}};   // the model after each record, from the last synced on
  Sequence durable_{0};
  bool faulty_ = false, broken_ = false;   // a fault waits; a fault was met, and the log may have stopped
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(LogModel, random_records_crashes_and_openings_agree_with_the_model) {
  const std::uint64_t one = number_from("SKERRY_SEED", 0);
  const std::uint64_t count = one != 0 ? 1 : number_from("SKERRY_SEEDS", sanitized ? 80 : 400);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = one != 0 ? one : i + 1;
    SCOPED_TRACE(fmt::format("replay with SKERRY_SEED={}", seed));
    ModelRun(seed).go();
    if (HasFatalFailure()) return;
  }
}

}   // namespace
}   // namespace skerry::disk
