// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/network.hpp"

#include <fmt/format.h>

namespace skerry::sim {
namespace {

using namespace control;

std::string id(const EntryId& entry) { return fmt::format("{}:{}", entry.term.value(), entry.offset.value()); }

struct Words {
  static const char* ballot(RaftVote::Ballot ballot) { return ballot == RaftVote::Ballot::trial ? "trial vote" : "vote"; }
  std::string operator()(const RaftVote& m) const {
    return fmt::format("asks for a {} in term {}, head {}", ballot(m.ballot), m.term.value(), id(m.head));
  }
  std::string operator()(const RaftVoteAnswer& m) const {
    return fmt::format("{} {}, term {}", ballot(m.ballot), m.granted ? "granted" : "refused", m.term.value());
  }
  std::string operator()(const RaftAppend& m) const {
    return fmt::format("append after {} to {}, commit {}, term {}", id(m.previous), m.last().value(), m.commit.value(),
                       m.term.value());
  }
  std::string operator()(const RaftSnapshot& m) const { return fmt::format("snapshot {}, term {}", id(m.entry), m.term.value()); }
  std::string operator()(const RaftAppendAnswer& m) const {
    constexpr const char* kinds[] = {"matched", "missing", "older"};
    return fmt::format("{} {} (asked {}, has {}), term {}", kinds[static_cast<int>(m.kind)], m.matched.value(), m.missing.value(),
                       id(m.newest), m.term.value());
  }
  std::string operator()(const RaftGaveUp& m) const { return fmt::format("gave up term {}", m.term.value()); }
};

}  // namespace

std::string describe(const RaftSent& message) {
  return fmt::format("{} to {}: {}", message.from.value(), message.to.value(), std::visit(Words{}, message.content));
}

}  // namespace skerry::sim
