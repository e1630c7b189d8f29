// SPDX-License-Identifier: Apache-2.0
#include "store/testing/script_shard.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "store/page_token.hpp"

namespace skerry::store::testing {
namespace {

const char* name(Status status) {
  switch (status) {
    case Status::ok: return "ok";
    case Status::key_not_found: return "key not found";
    case Status::unexpected_version_id: return "unexpected version id";
    case Status::session_does_not_exist: return "session does not exist";
  }
  return "?";
}

const char* name(NotificationKind kind) {
  switch (kind) {
    case NotificationKind::created: return "created";
    case NotificationKind::modified: return "modified";
    case NotificationKind::deleted: return "deleted";
    case NotificationKind::range_deleted: return "range deleted";
  }
  return "?";
}

std::vector<std::string> split_operations(const std::string& line) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  for (std::size_t bar; (bar = line.find(" | ", at)) != std::string::npos; at = bar + 3)
    parts.push_back(line.substr(at, bar - at));
  parts.push_back(line.substr(at));
  return parts;
}

std::string show_put(const PutOutcome& put) {
  if (put.status != Status::ok) return fmt::format("put: {}\n", name(put.status));
  return fmt::format("put: {}{}\n", show(put.version), put.key ? " key=" + printable(*put.key, 256) : "");
}

std::string show_rejection(const Rejection& rejection) {
  const bool guard = rejection.part == Rejection::Part::guard;
  return fmt::format("nothing done: {} {} failed{}, {}\n", guard ? "guard" : "operation", rejection.position,
                     guard ? "" : fmt::format(" ({})", name(rejection.status)),
                     rejection.found ? fmt::format("found version={}", rejection.found->value()) : "found nothing");
}

std::string show_get(const GetOutcome& got, bool with_value) {
  if (got.status != Status::ok) return fmt::format("{}\n", name(got.status));
  std::string text;
  if (got.key) text += printable(*got.key, 256) + ' ';
  if (got.secondary_key) text += "secondary=" + printable(*got.secondary_key) + ' ';
  if (with_value) text += printable(got.value) + ' ';
  return text + show(got.version) + '\n';
}

}  // namespace

const std::map<std::string, ScriptShard::Handler> ScriptShard::handlers = {
    {"open", &ScriptShard::open},
    {"commit", &ScriptShard::commit},
    {"drop", &ScriptShard::drop},
    {"restart", &ScriptShard::restart},
    {"session", &ScriptShard::session},
    {"end", &ScriptShard::end},
    {"sessions", &ScriptShard::sessions},
    {"barrier", &ScriptShard::barrier},
    {"get", &ScriptShard::get},
    {"list", &ScriptShard::list},
    {"scan", &ScriptShard::scan},
    {"sequence", &ScriptShard::sequence},
    {"notifications", &ScriptShard::notifications},
    {"clock", &ScriptShard::clock},
    {"sweep", &ScriptShard::sweep},
    {"expire", &ScriptShard::expire},
    {"page", &ScriptShard::page},
    {"dump", &ScriptShard::dump},
    {"replay", &ScriptShard::replay},
};

ScriptShard::ScriptShard() : shard_(std::make_unique<TestShard>(order_)) {}

std::string ScriptShard::command(const std::string& line) {
  constexpr std::string_view prefix = "propose ";
  proposing_ = line.starts_with(prefix);
  const std::string text = proposing_ ? line.substr(prefix.size()) : line;
  Words words(text);
  const auto handler = handlers.find(words.words.empty() ? "" : words.words[0]);
  if (handler == handlers.end()) {
    const ParsedWrite write(split_operations(text));
    return answer(shard_->write(write.request(), write.id)) + settle();
  }
  words.take();
  std::string printed = (this->*handler->second)(words);
  words.finish();
  return printed;
}

std::string ScriptShard::settle() {
  if (proposing_) return "";
  std::string printed;
  while (shard_->anything_in_flight()) {
    const Applied applied = shard_->commit();
    for (const SessionInfo& one : applied.sessions_created) printed += fmt::format("session {} created\n", one.id.value());
    for (const SessionId one : applied.sessions_ended) printed += fmt::format("session {} ended\n", one.value());
    for (const Bytes& prefix : applied.sequence_prefixes) printed += fmt::format("sequence {} rose\n", printable(prefix));
  }
  return printed;
}

std::string ScriptShard::answer(const std::variant<Proposal, Error>& evaluated) {
  if (const auto* error = std::get_if<Error>(&evaluated))
    return fmt::format("refused, {}: {}\n", error->code.message(), error->message());
  const auto& proposal = std::get<Proposal>(evaluated);
  std::string text;
  if (proposal.outcome.rejection) text += show_rejection(*proposal.outcome.rejection);
  for (const PutOutcome& put : proposal.outcome.puts) text += show_put(put);
  for (const Status status : proposal.outcome.deletes) text += fmt::format("delete: {}\n", name(status));
  for (const Status status : proposal.outcome.delete_ranges) text += fmt::format("delete-range: {}\n", name(status));
  if (proposal.entry.empty()) text += "nothing to log\n";
  if (proposal.more) text += "more to do\n";
  return text;
}

std::string ScriptShard::open(Words& words) {
  order_ = words.option("order").value_or("hierarchical") == "natural" ? KeyOrder::natural : KeyOrder::hierarchical;
  shard_ = std::make_unique<TestShard>(order_, ShardId(words.number("shard").value_or(0)));
  told_ = 0;
  return "";
}

std::string ScriptShard::commit(Words&) { return settle(); }
std::string ScriptShard::drop(Words&) { return shard_->drop(), ""; }
std::string ScriptShard::restart(Words&) { return shard_->restart(), ""; }
std::string ScriptShard::clock(Words& words) { return shard_->advance(std::chrono::milliseconds(std::stoll(words.take()))), ""; }

std::string ScriptShard::session(Words& words) {
  const std::chrono::milliseconds timeout(words.number("timeout").value_or(2000));
  const Bytes identity = words.option("identity").value_or("");
  if (const auto checked = StateMachine::check_session(timeout, identity); !checked) return answer(checked.error());
  shard_->create_session(timeout, identity);
  return settle();
}

std::string ScriptShard::end(Words& words) {
  std::vector<SessionId> ending;
  while (!words.done()) ending.emplace_back(std::stoll(words.take()));
  const std::string text = answer(shard_->end_sessions(std::move(ending)));
  return text + settle();
}

std::string ScriptShard::sessions(Words&) {
  std::string text;
  for (const SessionInfo& one : shard_->machine().sessions())
    text += fmt::format("{} timeout={} identity={}\n", one.id.value(), one.timeout.count(), printable(one.client_identity));
  return text;
}

std::string ScriptShard::barrier(Words& words) {
  const std::string text = answer(shard_->barrier(Term(words.number("term").value_or(-1))));
  return text + settle();
}

std::string ScriptShard::get(Words& words) {
  static const std::map<Bytes, Comparison> comparisons = {{"equal", Comparison::equal},
                                                          {"floor", Comparison::floor},
                                                          {"ceiling", Comparison::ceiling},
                                                          {"lower", Comparison::lower},
                                                          {"higher", Comparison::higher}};
  Get get{};
  const auto index = words.option("index");
  if (index) get.index = *index;
  get.include_value = words.option("value").value_or("yes") == "yes";
  Bytes key = words.take();
  if (const auto named = comparisons.find(key); named != comparisons.end() && !words.done()) {
    get.comparison = named->second;
    key = words.take();
  }
  get.key = key;
  if (const auto checked = shard_->machine().check(get); !checked) return answer(checked.error());
  return show_get(shard_->get(get), get.include_value);
}

Range ScriptShard::range(Words& words) {
  Range range;
  range.index = words.option("index");
  range.include_internal_keys = words.option("internal").value_or("no") == "yes";
  range.reverse = words.option("reverse").value_or("no") == "yes";
  if (!words.done()) range.start = words.take();
  if (!words.done()) range.end = words.take();
  return range;
}

std::string ScriptShard::list(Words& words) {
  std::string text;
  Range wanted = range(words);
  if (const auto checked = shard_->machine().check(wanted); !checked) return answer(checked.error());
  for (const Bytes& key : shard_->list(std::move(wanted))) text += printable(key, 256) + '\n';
  return text;
}

std::string ScriptShard::scan(Words& words) {
  std::string text;
  for (const GetOutcome& record : shard_->scan(range(words))) text += show_get(record, true);
  return text;
}

std::string ScriptShard::sequence(Words& words) {
  const auto highest = shard_->highest_sequence_key(words.take());
  return highest ? printable(*highest, 256) + '\n' : "none\n";
}

std::string ScriptShard::notifications(Words&) {
  std::string text;
  for (; told_ < shard_->log().size(); ++told_) {
    const auto batch = decode_notifications(order_, Offset(static_cast<std::int64_t>(told_)), shard_->log()[told_]);
    SKERRY_ASSERT(batch.has_value());
    text += fmt::format("offset {} at {}\n", batch->offset.value(), batch->stamp.millis());
    for (const Notification& one : batch->notifications) {
      text += fmt::format("  {} {}", printable(one.key), name(one.kind));
      if (one.version_id) text += fmt::format(" version={}", one.version_id->value());
      if (one.kind == NotificationKind::range_deleted) text += " until " + printable(one.range_end);
      text += '\n';
    }
  }
  return text;
}

std::string ScriptShard::sweep(Words&) {
  std::string text;
  while (shard_->machine().sweep_due(Stamp::at(shard_->now()))) {
    const auto swept = shard_->sweep();
    SKERRY_ASSERT(std::holds_alternative<Proposal>(swept));
    text += settle();
    if (std::get<Proposal>(swept).entry.empty()) text += "nothing to log\n";
  }
  return text;
}

std::string ScriptShard::expire(Words&) {
  std::string text;
  while (shard_->machine().expiry_due(Stamp::at(shard_->now()))) {
    const auto expired = shard_->expire();
    SKERRY_ASSERT(std::holds_alternative<Proposal>(expired));
    text += settle();
    text += std::get<Proposal>(expired).entry.empty() ? "nothing to log\n" : "expired\n";
  }
  return text.empty() ? "nothing is due\n" : text;
}

// A walk in pages of `limit` records, each with the token of the one before.
std::string ScriptShard::page(Words& words) {
  const auto limit = static_cast<std::size_t>(words.number("limit").value_or(2));
  Range wanted = range(words);
  std::string text;
  for (;;) {
    if (const auto checked = shard_->machine().check(wanted); !checked) return answer(checked.error());
    auto records = shard_->scan(wanted);
    const bool more = records.size() > limit;
    if (more) records.resize(limit);
    for (const GetOutcome& record : records) text += show_get(record, false);
    if (!more) return text;
    text += "--- next page\n";
    const GetOutcome& last = records.back();
    const std::string token = encode_page_token(wanted, {ShardId(0), *last.key, last.secondary_key});
    auto position = decode_page_token(wanted, token);
    SKERRY_ASSERT(position.has_value());
    wanted.resume = resume_at(ShardId(0), *std::move(position));
  }
}

// Without the counters, which every entry changes.
std::string ScriptShard::dump(Words& words) {
  const Bytes space = words.done() ? "" : words.take();
  std::string text;
  for (const std::string& line : shard_->dump())
    if (line.starts_with(space) && !line.starts_with("meta \"counters\"")) text += line + '\n';
  return text;
}

std::string ScriptShard::replay(Words&) { return shard_->dump_of_replay() == shard_->dump() ? "identical\n" : "DIFFERENT\n"; }

}  // namespace skerry::store::testing
