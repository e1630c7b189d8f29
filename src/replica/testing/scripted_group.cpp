// SPDX-License-Identifier: Apache-2.0
#include "replica/testing/scripted_group.hpp"

#include <fmt/format.h>

#include <chrono>

namespace skerry::replica {
namespace {

template <class Number>
Number number(std::istream& in) {
  std::int64_t value = 0;
  in >> value;
  return Number(value);
}
NodeId node_in(std::istream& in) { return NodeId(static_cast<std::uint32_t>(number<std::int64_t>(in))); }

std::string id(const EntryId& entry) { return fmt::format("{}:{}", entry.term.value(), entry.offset.value()); }
std::int64_t millis(Duration length) { return std::chrono::ceil<std::chrono::milliseconds>(length).count(); }

std::string text(const Append& append) {
  std::string entries = "nothing";
  if (!append.empty())
    entries = fmt::format("{} to {} of term {}", append.first().value(), append.last.value(), append.entries_term.value());
  return fmt::format("append {} after {}, commit {}, term {} v{}", entries, id(append.previous), append.commit.value(),
                     append.term.value(), append.version.value());
}
std::string text(const AppendAnswer& answer) {
  if (answer.kind == AppendAnswer::Kind::fenced) return fmt::format("fenced by term {}", answer.term.value());
  if (answer.kind == AppendAnswer::Kind::missing) {
    return fmt::format("missing {}, has {}, term {}", answer.missing.value(), id(answer.newest), answer.term.value());
  }
  return fmt::format("matched {}, commit {}, term {} v{}", answer.matched.value(), answer.commit.value(), answer.term.value(),
                     answer.version.value());
}
std::string text(const Heartbeat& heartbeat) { return fmt::format("heartbeat {}", heartbeat.number); }
std::string text(const HeartbeatAnswer& answer) {
  std::string out = fmt::format("answer to heartbeat {}, life {}", answer.number, answer.incarnation.value());
  for (const FencedNews& news : answer.news) out += fmt::format(", fenced by term {}", news.term.value());
  return out;
}
std::string text(const SnapshotHeader& header) {
  return fmt::format("snapshot of {}, term {}", id(header.entry), header.term.value());
}

// voters N… [old N…] [learners N…] [version V]
Membership membership(std::istream& in, std::string& word) {
  Membership members;
  std::vector<NodeId>* set = &members.voters;
  while (in >> word) {
    if (word == "voters") {
      set = &members.voters;
    } else if (word == "old") {
      set = &members.old_voters;
    } else if (word == "learners") {
      set = &members.learners;
    } else if (word == "version") {
      members.version = number<MembershipVersion>(in);
    } else if (word[0] >= '0' && word[0] <= '9') {
      set->emplace_back(static_cast<std::uint32_t>(std::stoul(word)));
    } else {
      return members;
    }
  }
  word.clear();
  return members;
}

}  // namespace

std::string ScriptedGroup::command(const std::string& line) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  out_.clear();
  if (word == "nodes") start_nodes(in);
  else if (word == "recovered") recovered(in);
  else if (word == "restart") restart(in);
  else if (word == "fence") fence(in);
  else if (word == "lead") lead(in);
  else if (word == "change") change(in);
  else if (word == "propose") propose(in);
  else if (word == "deliver") deliver(in, false);
  else if (word == "double") deliver(in, true);
  else if (word == "drop") drop(in);
  else if (word == "beat") beat(in);
  else if (word == "lease") show_lease(in);
  else if (word == "wait") pass_time(in);
  else if (word == "trim") trim(in);
  else if (word == "status") show_status();
  else if (word == "messages") show_messages();
  else if (word == "hold") replica(in).holds_disk = true;
  else if (word == "sync") {
    Replica& one = replica(in);
    one.holds_disk = false;
    sync(one);
  } else if (word == "resign") {
    Replica& one = replica(in);
    carry_out(one, one.core->resign(now_));
  } else if (word == "send") send_all(replica(in));
  else if (word == "reconnect") {
    Replica& one = replica(in);
    carry_out(one, one.core->probe(node_in(in)));
  } else out_ = "no such word: " + word + "\n";
  return out_.empty() ? "nothing\n" : out_;
}

// --- starting

void ScriptedGroup::start_nodes(std::istream& in) {
  for (std::int64_t node = 0; in >> node;) {
    Replica& one = replicas_[NodeId(static_cast<std::uint32_t>(node))];
    one.node = NodeId(static_cast<std::uint32_t>(node));
    boot(one, {});
  }
}

// recovered NODE term T [version V] applied A log TERMxCOUNT…
void ScriptedGroup::recovered(std::istream& in) {
  const NodeId node = node_in(in);
  Replica& one = replicas_[node];
  one.node = node;
  Recovered state;
  for (std::string word; in >> word;) {
    if (word == "term") state.term = number<Term>(in);
    else if (word == "version") state.version = number<MembershipVersion>(in);
    else if (word == "applied") state.applied = number<Offset>(in);
    else if (const auto times = word.find('x'); times != std::string::npos) {
      one.log.insert(one.log.end(), std::stoul(word.substr(times + 1)), Term(std::stol(word.substr(0, times))));
    }
  }
  one.durable_log = one.log;
  one.durable =
      one.written = {.last = Offset(static_cast<std::int64_t>(one.log.size()) - 1), .term = state.term, .version = state.version};
  boot(one, state);
}

void ScriptedGroup::boot(Replica& one, Recovered state) {
  state.last = Offset(static_cast<std::int64_t>(one.log.size()) - 1);
  state.first = Offset(one.base);
  for (std::size_t at = static_cast<std::size_t>(std::max<std::int64_t>(0, one.base - 1)); at < one.log.size(); ++at) {
    state.terms.append(one.log[at], Offset(static_cast<std::int64_t>(at)));
  }
  one.leases = std::make_unique<NodeLeases>(Incarnation(one.incarnation), now_);
  one.core = std::make_unique<ReplicaCore>(ShardId(7), one.node, std::move(state), *one.leases);
}

// A crash: what was not synced is lost, and what was applied is read from the log again.
void ScriptedGroup::restart(std::istream& in) {
  Replica& one = replica(in);
  ++one.incarnation;
  one.holds_disk = false;
  one.log = one.durable_log;
  one.base = one.durable_base;
  one.written = one.durable = {
      .last = Offset(static_cast<std::int64_t>(one.log.size()) - 1), .term = one.durable.term, .version = one.durable.version};
  boot(one, {.term = one.durable.term, .version = one.durable.version, .applied = Offset(one.base - 1)});
  std::erase_if(messages_, [&](const Message& message) { return message.to == one.node; });
}

// --- the coordinator's words

// fence TERM NODE… [version V]
void ScriptedGroup::fence(std::istream& in) {
  const Term term = number<Term>(in);
  std::string word;
  const Membership asked = membership(in, word);
  fenced_.clear();
  for (const NodeId node : asked.voters) carry_out(replica(node), replica(node).core->new_term({term, asked.version}, now_));
}

// lead NODE TERM voters N… [old N…] [learners N…] [version V] [wait MS]
void ScriptedGroup::lead(std::istream& in) {
  Replica& one = replica(in);
  BecomeLeader told{.term = number<Term>(in)};
  std::string word;
  told.membership = membership(in, word);
  if (word == "wait") told.lease_wait = std::chrono::milliseconds(number<std::int64_t>(in));
  for (const auto& [node, answer] : fenced_) told.heads.push_back({node, answer.head});
  carry_out(one, one.core->become_leader(std::move(told), now_));
}

// change NODE TERM voters N… [old N…] [learners N…] version V
void ScriptedGroup::change(std::istream& in) {
  Replica& one = replica(in);
  ChangeMembers told{.term = number<Term>(in)};
  std::string word;
  told.membership = membership(in, word);
  carry_out(one, one.core->change_members(std::move(told)));
}

// --- everything else

// propose NODE [COUNT]
void ScriptedGroup::propose(std::istream& in) {
  Replica& one = replica(in);
  std::int64_t count = 1;
  in >> count;
  if (!one.core->leads()) return say(one, "leads nothing");
  while (count-- > 0) {
    const EntryId entry = one.core->propose();
    one.log.push_back(entry.term);
    say(one, "proposed " + id(entry));
  }
  one.written = one.core->position();
  send_all(one);
  if (!one.holds_disk) sync(one);
}

// Everything of the link, or of all, with what comes of it, in order.
void ScriptedGroup::deliver(std::istream& in, bool doubled) {
  std::function<bool(const Message&)> matches;
  const bool once = on_link(in, matches);
  std::size_t left = once ? static_cast<std::size_t>(std::ranges::count_if(messages_, matches)) : 1000;
  while (left-- > 0) {
    const auto next = std::ranges::find_if(messages_, matches);
    if (next == messages_.end()) return;
    const Message message = std::move(*next);
    messages_.erase(next);
    for (int times = 0; times < (doubled ? 2 : 1); ++times) take(message);
  }
}

void ScriptedGroup::drop(std::istream& in) {
  std::function<bool(const Message&)> matches;
  on_link(in, matches);
  for (const Message& message : messages_) {
    if (matches(message)) out_ += "lost: " + describe(message) + "\n";
  }
  std::erase_if(messages_, matches);
}

// [FROM TO], where * is anybody. False when there is none.
bool ScriptedGroup::on_link(std::istream& in, std::function<bool(const Message&)>& matches) const {
  std::string from = "*", to = "*";
  const bool named = static_cast<bool>(in >> from >> to);
  matches = [from, to](const Message& message) {
    return (from == "*" || std::to_string(message.from.value()) == from) &&
           (to == "*" || std::to_string(message.to.value()) == to);
  };
  return named;
}

// beat FROM TO: a heartbeat and its answer, both on their way.
void ScriptedGroup::beat(std::istream& in) {
  Replica& one = replica(in);
  const NodeId to = node_in(in);
  messages_.push_back({one.node, to, one.leases->heartbeat(to, now_)});
}

void ScriptedGroup::show_lease(std::istream& in) {
  Replica& one = replica(in);
  say(one, one.core->holds_lease(now_) ? "holds the lease" : "holds no lease");
}

void ScriptedGroup::pass_time(std::istream& in) {
  now_ += std::chrono::milliseconds(number<std::int64_t>(in));
  for (auto& [node, one] : replicas_) {
    if (one.core->next_tick() <= now_) carry_out(one, one.core->tick(now_));
  }
}

// trim NODE FIRST_KEPT: its engine is durable up to there.
void ScriptedGroup::trim(std::istream& in) {
  Replica& one = replica(in);
  const Offset first_kept = number<Offset>(in);
  one.base = one.durable_base = first_kept.value();
  one.core->trimmed(first_kept);
}

void ScriptedGroup::show_status() {
  constexpr const char* roles[] = {"fenced", "following", "recovering", "serving"};
  for (const auto& [node, one] : replicas_) {
    const ReplicaCore& core = *one.core;
    std::string log;
    for (std::size_t at = static_cast<std::size_t>(one.base); at < one.log.size(); ++at)
      log += fmt::format(" {}", one.log[at].value());
    say(one, fmt::format("{} term {} v{} head {} commit {} | from {}:{}", roles[static_cast<int>(core.role())],
                         core.term().value(), core.version().value(), id(core.head()), core.commit().value(), one.base, log));
  }
}

void ScriptedGroup::show_messages() {
  for (const Message& message : messages_) out_ += describe(message) + "\n";
}

// --- the driver

ScriptedGroup::Replica& ScriptedGroup::replica(std::istream& in) { return replicas_.at(node_in(in)); }

void ScriptedGroup::say(const Replica& one, const std::string& what) { out_ += fmt::format("{}: {}\n", one.node.value(), what); }

std::string ScriptedGroup::describe(const Message& message) const {
  return fmt::format("{} to {}: {}", message.from.value(), message.to.value(),
                     std::visit([](const auto& content) { return text(content); }, message.content));
}

void ScriptedGroup::carry_out(Replica& one, Result<Effects> effects) {
  if (effects) return carry_out(one, *effects);
  say(one, "refused: " + effects.error().message());
}

void ScriptedGroup::carry_out(Replica& one, const Effects& effects) {
  if (effects.lost_above) say(one, fmt::format("leads no more, lost above {}", effects.lost_above->value()));
  change_log(one, effects);
  if (effects.commit) say(one, fmt::format("commit {}", effects.commit->value()));
  if (effects.answer) messages_.push_back({one.node, effects.answer->to, effects.answer->message});
  if (effects.fenced) {
    const NewTermAnswer& answer = *effects.fenced;
    fenced_[one.node] = answer;
    say(one, fmt::format("fenced by term {}: head {}, applied {}{}{}", answer.term.value(), id(answer.head),
                         answer.applied.value(), answer.served ? ", served" : "",
                         answer.promised > Duration() ? fmt::format(", promised for {} ms", millis(answer.promised)) : ""));
  }
  if (effects.confirmed) say(one, fmt::format("confirmed v{}", effects.confirmed->value()));
  if (effects.serving) say(one, "serving");
  if (effects.propose_barrier) {
    std::istringstream once(fmt::format("{} 1", one.node.value()));
    propose(once);
  } else if (effects.send) {
    send_all(one);
  }
  if (effects.commit) carry_out(one, one.core->applied(*effects.commit));
}

void ScriptedGroup::change_log(Replica& one, const Effects& effects) {
  if (effects.record) say(one, fmt::format("record term {} v{}", one.core->term().value(), one.core->version().value()));
  if (effects.install) {
    say(one, fmt::format("install {}", id(*effects.install)));
    one.base = effects.install->offset.value() + 1;
    one.log.assign(static_cast<std::size_t>(one.base), effects.install->term);
  }
  if (effects.cut_above) {
    say(one, fmt::format("cut above {}", effects.cut_above->value()));
    one.log.resize(static_cast<std::size_t>(effects.cut_above->value() + 1));
  }
  if (effects.append) {
    const EntryRange& range = *effects.append;
    say(one, fmt::format("append {} to {} of term {}", range.first.value(), range.last.value(), range.term.value()));
    one.log.resize(static_cast<std::size_t>(range.last.value() + 1), range.term);
  }
  if (!effects.record && !effects.install && !effects.cut_above && !effects.append) return;
  one.written = one.core->position();
  if (!one.holds_disk) sync(one);
}

void ScriptedGroup::sync(Replica& one) {
  one.durable = one.written;
  one.durable_log = one.log;
  one.durable_base = one.base;
  carry_out(one, one.core->persisted(one.durable, now_));
}

void ScriptedGroup::send_all(Replica& one) {
  std::vector<NodeId> followers;
  for (const FollowerProgress& follower : one.core->followers()) followers.push_back(follower.node());
  for (const NodeId to : followers) {
    while (const auto plan = one.core->next_send(to)) {
      if (plan->kind == SendPlan::Kind::snapshot) {
        const EntryId entry{one.log[static_cast<std::size_t>(one.core->applied().value())], one.core->applied()};
        messages_.push_back({one.node, to, SnapshotHeader{one.core->term(), one.core->version(), entry}});
        break;
      }
      messages_.push_back({one.node, to, one.core->sent(to, plan->last, 100, now_)});
    }
  }
}

void ScriptedGroup::take(const Message& message) {
  out_ += describe(message) + "\n";
  Replica& one = replica(message.to);
  if (const auto* append = std::get_if<Append>(&message.content)) {
    carry_out(one, one.core->append(message.from, *append, now_));
  } else if (const auto* answer = std::get_if<AppendAnswer>(&message.content)) {
    carry_out(one, one.core->answered(message.from, *answer, now_));
  } else if (const auto* header = std::get_if<SnapshotHeader>(&message.content)) {
    carry_out(one, one.core->snapshot_arrived(message.from, *header, now_));
    carry_out(replica(message.from), replica(message.from).core->snapshot_ended(message.to, header->entry.offset));
  } else if (const auto* heartbeat = std::get_if<Heartbeat>(&message.content)) {
    messages_.push_back({one.node, message.from, one.leases->answer(message.from, *heartbeat, now_)});
  } else if (const auto* promise = std::get_if<HeartbeatAnswer>(&message.content)) {
    const HeartbeatNews news = one.leases->answered(message.from, *promise);
    for (const FencedNews& each : news.fenced) carry_out(one, one.core->hear(each.term, now_));
    if (news.restarted) carry_out(one, one.core->probe(message.from));
  }
}

}  // namespace skerry::replica
