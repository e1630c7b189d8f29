// SPDX-License-Identifier: Apache-2.0
#include "control/testing/raft_script.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::control {
namespace {

std::int64_t number(std::istream& in) {
  std::int64_t value = 0;
  in >> value;
  return value;
}

std::string id(const EntryId& entry) { return fmt::format("{}:{}", entry.term.value(), entry.offset.value()); }

// Terms of entries in a row.
std::string terms(const std::vector<RaftEntry>& entries) {
  std::string out;
  for (const RaftEntry& entry : entries) out += fmt::format(" {}", entry.term.value());
  return out;
}

struct Words {
  static const char* ballot(RaftVote::Ballot ballot) { return ballot == RaftVote::Ballot::trial ? "trial vote" : "vote"; }
  std::string operator()(const RaftVote& m) const {
    return fmt::format("asks for a {} in term {}, head {}", ballot(m.ballot), m.term.value(), id(m.head));
  }
  std::string operator()(const RaftVoteAnswer& m) const {
    return fmt::format("{} {}, term {}", ballot(m.ballot), m.granted ? "granted" : "refused", m.term.value());
  }
  std::string operator()(const RaftAppend& m) const {
    const std::string what = m.entries.empty() ? " heartbeat" : terms(m.entries);
    return fmt::format("append{} after {}, commit {}, term {}", what, id(m.previous), m.commit.value(), m.term.value());
  }
  std::string operator()(const RaftSnapshot& m) const { return fmt::format("snapshot {}, term {}", id(m.entry), m.term.value()); }
  std::string operator()(const RaftAppendAnswer& m) const {
    switch (m.kind) {
      case RaftAppendAnswer::Kind::older: return fmt::format("knows term {}", m.term.value());
      case RaftAppendAnswer::Kind::missing:
        return fmt::format("missing {}, has {}, term {}", m.missing.value(), id(m.newest), m.term.value());
      case RaftAppendAnswer::Kind::matched: break;
    }
    return fmt::format("matched {}, term {}", m.matched.value(), m.term.value());
  }
  std::string operator()(const RaftGaveUp& m) const { return fmt::format("gave up term {}", m.term.value()); }
};

std::string describe(RaftMember from, RaftMember to, const RaftMessage& content) {
  return fmt::format("{} to {}: {}", from.value(), to.value(), std::visit(Words{}, content));
}

}  // namespace

std::string RaftScript::command(const std::string& line) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  out_.clear();
  if (word == "members") start_members(in);
  else if (word == "recovered") recovered(in);
  else if (word == "restart") restart(member(in));
  else if (word == "stand") {
    for (std::uint32_t each = 0; in >> each;) members_.at(RaftMember(each)).core->stand();
  } else if (word == "cut") cut(in);
  else if (word == "run") run(now_ + std::chrono::milliseconds(number(in)));
  else if (word == "campaign") campaign(member(in));
  else if (word == "propose") propose(member(in), in);
  else if (word == "deliver") deliver(in, 1);
  else if (word == "double") deliver(in, 2);
  else if (word == "drop") drop(in);
  else if (word == "wait") pass_time(now_ + std::chrono::milliseconds(number(in)));
  else if (word == "snapshot") take_snapshot(member(in), in);
  else if (word == "status") show_status();
  else if (word == "messages") {
    for (const Message& message : messages_) out_ += describe(message.from, message.to, message.content) + "\n";
  } else if (word == "hold") member(in).holds_disk = true;
  else if (word == "sync") {
    Member& one = member(in);
    one.holds_disk = false;
    sync(one);
  } else if (word == "office") {
    const Member& one = member(in);
    say(one, one.core->in_office(now_) ? "is in office" : "is not in office");
  } else if (word == "resign") {
    Member& one = member(in);
    carry_out(one, one.core->resign(now_));
  } else if (word == "reconnect") {
    Member& one = member(in);
    carry_out(one, one.core->reconnected(member(in).self));
  } else out_ = "no such word: " + word + "\n";
  return out_.empty() ? "nothing\n" : out_;
}

// --- starting

void RaftScript::start_members(std::istream& in) {
  count_ = static_cast<std::uint32_t>(number(in));
  members_.clear();
  messages_.clear();
  cut_off_.clear();
  for (RaftMember self{0}; self.value() < count_; self = self.next()) {
    members_[self].self = self;
    boot(members_[self]);
  }
}

// recovered N term T [snapshot OFFSET] TERMxCOUNT…
void RaftScript::recovered(std::istream& in) {
  Member& one = member(in);
  Offset snapshot = no_offset;
  std::deque<RaftEntry> entries;
  for (std::string word; in >> word;) {
    if (word == "term") one.durable.term = Term(number(in));
    else if (word == "snapshot") snapshot = Offset(number(in));
    else if (const auto times = word.find('x'); times != std::string::npos) {
      const RaftEntry entry{Term(std::stol(word.substr(0, times))), std::make_shared<const Bytes>("entry")};
      entries.insert(entries.end(), std::stoul(word.substr(times + 1)), entry);
    }
  }
  one.durable.log = RaftLog({}, std::move(entries));
  if (snapshot != no_offset) one.durable.snapshot = {*one.durable.log.term_of(snapshot), snapshot};
  one.durable.log.drop_before(snapshot.next());
  boot(one);
}

void RaftScript::boot(Member& one) {
  ++one.life;
  one.holds_disk = false;
  const RaftSeat seat{.self = one.self, .members = count_, .seed = one.self.value() + 10 * one.life};
  one.core = std::make_unique<RaftCore>(seat, one.durable, now_);
}

// A crash: what was not synced is lost, and what was on its way to it.
void RaftScript::restart(Member& one) {
  boot(one);
  std::erase_if(messages_, [&](const Message& message) { return message.to == one.self; });
}

// --- what happens

// It alone stands, and time passes for all until it asks.
void RaftScript::campaign(Member& one) {
  for (auto& [self, each] : members_) each.core->sit();
  one.core->stand();
  const TimePoint limit = now_ + 10s;
  while (one.core->role() != RaftCore::Role::trying && now_ < limit) pass_time(std::max(now_, one.core->next_tick()));
}

// Time passes and messages arrive at once; says what comes of them.
void RaftScript::run(TimePoint until) {
  for (;;) {
    while (!messages_.empty()) {
      const Message message = messages_.front();
      messages_.pop_front();
      if (!cut_off_.contains(message.from) && !cut_off_.contains(message.to)) take(message);
    }
    const TimePoint next = next_tick();
    if (next > until) break;
    pass_time(next);
  }
  now_ = std::max(now_, until);
}

// cut N…: they are alone from now on, while the time runs; the others are not, or no more.
void RaftScript::cut(std::istream& in) {
  cut_off_.clear();
  for (std::uint32_t each = 0; in >> each;) cut_off_.insert(RaftMember(each));
}

void RaftScript::propose(Member& one, std::istream& in) {
  std::int64_t count = 1, bytes = 1;
  if (in >> count) in >> bytes;
  if (!one.core->leads()) return say(one, "leads nothing");
  while (count-- > 0) carry_out(one, one.core->propose(std::make_shared<const Bytes>(bytes, 'x')));
}

// Everything of the link with what comes of it; of one link only what is there now.
void RaftScript::deliver(std::istream& in, int times) {
  bool named = false;
  const auto matches = on_link(in, named);
  std::int64_t left = named ? std::ranges::count_if(messages_, matches) : 1000;
  while (left-- > 0) {
    const auto next = std::ranges::find_if(messages_, matches);
    if (next == messages_.end()) return;
    const Message message = std::move(*next);
    messages_.erase(next);
    for (int time = 0; time < times; ++time) {
      out_ += describe(message.from, message.to, message.content) + "\n";
      take(message);
    }
  }
}

void RaftScript::drop(std::istream& in) {
  bool named = false;
  const auto matches = on_link(in, named);
  for (const Message& message : messages_) {
    if (matches(message)) out_ += "lost: " + describe(message.from, message.to, message.content) + "\n";
  }
  std::erase_if(messages_, matches);
}

// [FROM TO], where * is anybody.
std::function<bool(const RaftScript::Message&)> RaftScript::on_link(std::istream& in, bool& named) {
  std::string from = "*", to = "*";
  named = static_cast<bool>(in >> from >> to);
  return [from, to](const Message& message) {
    return (from == "*" || std::to_string(message.from.value()) == from) &&
           (to == "*" || std::to_string(message.to.value()) == to);
  };
}

TimePoint RaftScript::next_tick() const {
  TimePoint next = TimePoint::max();
  for (const auto& [self, one] : members_) next = std::min(next, one.core->next_tick());
  return next;
}

void RaftScript::pass_time(TimePoint until) {
  while (next_tick() <= until) {
    now_ = std::max(now_, next_tick());
    for (auto& [self, one] : members_) {
      if (one.core->next_tick() <= now_) carry_out(one, one.core->tick(now_));
    }
  }
  now_ = std::max(now_, until);
}

// snapshot N FIRST_KEPT: of what is committed; the entries before are forgotten.
void RaftScript::take_snapshot(Member& one, std::istream& in) {
  const Offset first_kept(number(in));
  one.core->drop_before(first_kept);
  one.durable.snapshot = {*one.core->log().term_of(one.core->commit()), one.core->commit()};
  one.durable.log.drop_before(first_kept);
}

void RaftScript::show_status() {
  constexpr const char* roles[] = {"follower", "trying", "candidate", "leader"};
  for (const auto& [self, one] : members_) {
    const RaftCore& core = *one.core;
    std::string log;
    for (Offset at = core.log().first(); at <= core.log().last(); at = at.next())
      log += fmt::format(" {}", core.log().at(at).term.value());
    say(one, fmt::format("{} in term {}, head {}, commit {} | from {}:{}", roles[static_cast<int>(core.role())],
                         core.term().value(), id(core.log().head()), core.commit().value(), core.log().first().value(), log));
  }
}

// --- the driver

RaftScript::Member& RaftScript::member(std::istream& in) {
  return members_.at(RaftMember(static_cast<std::uint32_t>(number(in))));
}

void RaftScript::say(const Member& one, const std::string& what) { out_ += fmt::format("{}: {}\n", one.self.value(), what); }

void RaftScript::carry_out(Member& one, const RaftEffects& effects) {
  if (effects.lost) say(one, "leads no more");
  if (effects.record) say(one, fmt::format("record term {}", one.core->term().value()));
  if (effects.install) say(one, fmt::format("install {}", id(*effects.install)));
  if (effects.cut_above) say(one, fmt::format("cut above {}", effects.cut_above->value()));
  if (effects.append_from) {
    say(one, fmt::format("log {} to {}", effects.append_from->value(), one.core->log().last().value()));
  }
  if (effects.commit) say(one, fmt::format("commit {}", effects.commit->value()));
  if (effects.office) say(one, fmt::format("takes office in term {}", one.core->term().value()));
  for (const auto& each : effects.send) messages_.push_back({one.self, each.to, each.message});
  if (effects.flush) {
    for (auto& each : one.core->appends(now_)) messages_.push_back({one.self, each.to, std::move(each.message)});
  }
  const bool writes = effects.record || effects.install || effects.cut_above || effects.append_from;
  if (writes && !one.holds_disk) sync(one);
}

void RaftScript::sync(Member& one) {
  one.durable.term = one.core->term();
  one.durable.log = one.core->log();
  if (one.durable.snapshot.offset < one.durable.log.base().offset) one.durable.snapshot = one.durable.log.base();
  carry_out(one, one.core->persisted(one.core->position(), now_));
}

void RaftScript::take(const Message& message) {
  Member& one = members_.at(message.to);
  const auto effects = one.core->receive(message.from, message.content, now_);
  if (effects) return carry_out(one, *effects);
  say(one, "refused: " + effects.error().message());
}

}  // namespace skerry::control
