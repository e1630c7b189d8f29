// SPDX-License-Identifier: Apache-2.0
#include "control/testing/script_words.hpp"

#include <fmt/format.h>

namespace skerry::control {

std::int64_t integer(std::istream& in) {
  std::int64_t value = 0;
  in >> value;
  return value;
}

std::string word_in(std::istream& in) {
  std::string word;
  in >> word;
  return word;
}

replica::EntryId entry_of(const std::string& word) {
  const std::size_t colon = word.find(':');
  return {Term(std::stoll(word.substr(0, colon))), Offset(std::stoll(word.substr(colon + 1)))};
}

std::string text(const replica::EntryId& entry) {
  return entry.offset == no_offset ? "empty" : fmt::format("{}:{}", entry.term.value(), entry.offset.value());
}

const char* text(ShardState state) {
  switch (state) {
    case ShardState::steady: return "steady";
    case ShardState::election: return "election";
    case ShardState::fenced: return "fenced";
    case ShardState::deleting: break;
  }
  return "deleting";
}

const char* text(ReshapeStatus::Phase phase) {
  switch (phase) {
    case ReshapeStatus::Phase::preparing: return "preparing";
    case ReshapeStatus::Phase::sealing: return "sealing";
    case ReshapeStatus::Phase::reshaping: return "reshaping";
    case ReshapeStatus::Phase::electing: break;
  }
  return "electing";
}

std::string text(const std::vector<ShardId>& shards) {
  std::string out;
  for (const ShardId shard : shards) out += fmt::format("{}{}", out.empty() ? "" : " ", shard.value());
  return out;
}

const char* text(NodeCondition condition) {
  switch (condition) {
    case NodeCondition::unknown: return "unknown";
    case NodeCondition::serving: return "serving";
    case NodeCondition::suspected: return "suspected";
    case NodeCondition::failed: break;
  }
  return "failed";
}

}   // namespace skerry::control
