// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace skerry::sim {
namespace {

using Operation = History::Operation;
using Kind = Operation::Kind;

std::string describe(const Operation& each) {
  return fmt::format("{} of {} as version {}", each.kind == Kind::put ? "put" : "get",
                     each.value.empty() ? "nothing" : each.value, each.version->value());
}

// A get must have seen something that was put, before its end, under the version that it was put with.
std::string wrong_value(const Operation& get, const std::map<std::string, const Operation*>& puts) {
  if (get.version == History::absent) return "";
  const auto found = puts.find(get.value);
  if (found == puts.end()) return fmt::format("{}: nobody put that", describe(get));
  const Operation& put = *found->second;
  if (put.began > get.ended) return fmt::format("{}: it was put later", describe(get));
  if (put.version && put.version != get.version) return fmt::format("{}: it was put as {}", describe(get), put.version->value());
  return "";
}

// Whatever had ended before an operation began must not be newer.
std::string wrong_order(std::vector<const Operation*> timed) {
  std::vector<const Operation*> ended = timed;
  std::ranges::sort(ended, {}, &Operation::ended);
  std::ranges::sort(timed, {}, &Operation::began);
  const Operation* newest = nullptr;
  std::size_t at = 0;
  for (const Operation* each : timed) {
    for (; at < ended.size() && ended[at]->ended < each->began; ++at) {
      if (newest == nullptr || *ended[at]->version > *newest->version) newest = ended[at];
    }
    if (newest == nullptr || newest == each) continue;
    const bool late = *newest->version > *each->version || (each->kind == Kind::put && *newest->version == *each->version);
    if (late) return fmt::format("{} began after {} had ended", describe(*each), describe(*newest));
  }
  return "";
}

std::string violation_of(const std::vector<const Operation*>& operations) {
  std::map<std::string, const Operation*> puts;
  std::map<VersionId, std::string> by_version;
  std::vector<const Operation*> timed;
  for (const Operation* each : operations) {
    if (each->kind == Kind::put) puts[each->value] = each;
    if (each->version) timed.push_back(each);
    if (!each->version || each->version == History::absent) continue;
    const auto [known, first] = by_version.try_emplace(*each->version, each->value);
    if (!first && known->second != each->value) return fmt::format("{}: it is {}, too", describe(*each), known->second);
  }
  for (const Operation* each : operations) {
    if (each->kind != Kind::get) continue;
    if (std::string wrong = wrong_value(*each, puts); !wrong.empty()) return wrong;
  }
  return wrong_order(std::move(timed));
}

}  // namespace

std::string History::violation() const {
  std::map<std::string, std::vector<const Operation*>> by_key;
  for (const Operation& each : operations_) by_key[each.key].push_back(&each);
  for (const auto& [key, operations] : by_key) {
    if (std::string wrong = violation_of(operations); !wrong.empty()) return fmt::format("{}: {}", key, wrong);
  }
  return "";
}

}  // namespace skerry::sim
