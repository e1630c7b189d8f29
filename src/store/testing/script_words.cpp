// SPDX-License-Identifier: Apache-2.0
#include "store/testing/script_words.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace skerry::store::testing {
namespace {

// A script that cannot be read is a mistake of its author: say so and end.
[[noreturn]] void complain(const std::string& about) {
  fmt::print(stderr, "script: {}\n", about);
  std::abort();
}

// One word from `at` on; a quoted part may stand anywhere in it.
Bytes take_word(const std::string& line, std::size_t& at) {
  Bytes word;
  bool quoted = false;
  for (; at < line.size() && (quoted || line[at] != ' '); ++at) {
    if (line[at] == '"') {
      quoted = !quoted;
    } else if (quoted && line[at] == '\\' && line.compare(at, 2, "\\x") == 0) {
      word += static_cast<char>(std::stoi(line.substr(at + 2, 2), nullptr, 16));
      at += 3;
    } else if (quoted && line[at] == '\\') {
      word += line[++at];
    } else {
      word += line[at];
    }
  }
  if (quoted) complain("no closing quote in " + line);
  return word;
}

bool is_option_name(BytesView name) {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == BytesView::npos;
}

std::vector<std::uint64_t> numbers(const Bytes& list) {
  std::vector<std::uint64_t> found;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    found.push_back(std::stoull(list.substr(at, comma - at)));
    at = comma + 1;
  }
  return found;
}

}  // namespace

Words::Words(const std::string& line) {
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == ' ') {
      ++i;
      continue;
    }
    const bool quoted = line[i] == '"';
    Bytes word = take_word(line, i);
    const std::size_t equals = word.find('=');
    if (!quoted && equals != Bytes::npos && is_option_name(BytesView(word).substr(0, equals))) {
      options.emplace(word.substr(0, equals), word.substr(equals + 1));
    } else {
      words.push_back(std::move(word));
    }
  }
}

Bytes Words::take() {
  if (done()) complain("a word is missing");
  return words[at++];
}

std::optional<Bytes> Words::option(const std::string& name) {
  const auto found = options.find(name);
  if (found == options.end()) return std::nullopt;
  Bytes value = std::move(found->second);
  options.erase(found);
  return value;
}

std::optional<std::int64_t> Words::number(const std::string& name) {
  const auto text = option(name);
  return text ? std::optional<std::int64_t>(std::stoll(*text)) : std::nullopt;
}

void Words::finish() const {
  if (!done()) complain("unknown word " + words[at]);
  if (!options.empty()) complain("unknown option " + options.begin()->first);
}

ParsedWrite::ParsedWrite(const std::vector<std::string>& operations) {
  for (const std::string& operation : operations) {
    Words words(operation);
    if (!words.words.empty() && words.words[0] == "atomic") {
      atomic = true;
      words.take();
    }
    if (const auto as = words.option("as")) {
      const std::size_t colon = as->rfind(':');
      id = RequestId{as->substr(0, colon), std::stoull(as->substr(colon + 1))};
    }
    add(words);
    words.finish();
  }
}

std::optional<BytesView> ParsedWrite::keep(std::optional<Bytes> text) {
  return text ? std::optional(keep(*std::move(text))) : std::nullopt;
}

void ParsedWrite::add(Words& words) {
  const Bytes verb = words.take();
  if (verb == "if") {
    atomic = true;
    return add_guard(words);
  }
  if (verb == "put") {
    steps.push_back(Step::put);
    return add_put(words);
  }
  if (verb == "delete-range") {
    steps.push_back(Step::erase_range);
    const BytesView start = keep(words.take());
    delete_ranges.push_back({start, keep(words.take())});
    return;
  }
  if (verb != "delete") complain("unknown operation " + verb);
  Delete one{keep(words.take()), std::nullopt};
  if (const auto expect = words.number("expect")) one.expected_version = VersionId(*expect);
  steps.push_back(Step::erase);
  deletes.push_back(one);
}

void ParsedWrite::add_guard(Words& words) {
  Guard guard{keep(words.take()), {}, {}};
  if (const auto version = words.number("version")) {
    guard.kind = Guard::Kind::version;
    guard.version = VersionId(*version);
  } else if (const Bytes kind = words.take(); kind == "absent") {
    guard.kind = Guard::Kind::absent;
  } else if (kind != "exists") {
    complain("a key exists, is absent or has version=N, not " + kind);
  }
  guards.push_back(guard);
}

void ParsedWrite::add_put(Words& words) {
  Put put{};
  put.key = keep(words.take());
  put.value = keep(words.option("value").value_or(""));
  if (const auto expect = words.number("expect")) put.expected_version = VersionId(*expect);
  if (const auto session = words.number("session")) put.session = SessionId(*session);
  put.client_identity = keep(words.option("identity"));
  put.partition_key = keep(words.option("partition"));
  if (const auto list = words.option("deltas")) put.sequence_deltas = deltas.emplace_back(numbers(*list));
  auto& wanted = indexes.emplace_back();
  while (const auto index = words.option("index")) {
    const std::size_t colon = index->find(':');
    const BytesView name = keep(index->substr(0, colon));
    wanted.push_back({name, keep(index->substr(colon + 1))});
  }
  put.indexes = wanted;
  if (const auto version = words.number("override-version")) put.override_version = VersionId(*version);
  put.override_modifications = words.number("override-modifications");
  if (const auto millis = words.number("ttl")) put.time_to_live = std::chrono::milliseconds(*millis);
  put.keep_expiry = words.option("keep-ttl").value_or("no") == "yes";
  puts.push_back(put);
}

std::string show(const Version& version) {
  std::string text = fmt::format("version={} modifications={} created={} modified={}", version.version_id.value(),
                                 version.modifications, version.created_millis, version.modified_millis);
  if (version.session) text += fmt::format(" session={}", version.session->value());
  if (version.client_identity) text += " identity=" + printable(*version.client_identity);
  if (version.expires_millis) text += fmt::format(" expires={}", *version.expires_millis);
  return text;
}

}  // namespace skerry::store::testing
