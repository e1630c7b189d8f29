// SPDX-License-Identifier: Apache-2.0
#include "sim/replicas/network.hpp"

#include <fmt/format.h>

namespace skerry::sim {
namespace {

using namespace replica;

std::string id(const EntryId& entry) { return fmt::format("{}:{}", entry.term.value(), entry.offset.value()); }

std::string sets(const Membership& membership) {
  std::string out = fmt::format("v{}", membership.version.value());
  const auto add = [&out](const char* name, const std::vector<NodeId>& set) {
    if (set.empty()) return;
    out += name;
    for (const NodeId node : set) out += fmt::format(" {}", node.value());
  };
  add(" voters", membership.voters);
  add(" old", membership.old_voters);
  add(" learners", membership.learners);
  return out;
}

struct Words {
  std::string operator()(const Entries& m) const {
    return fmt::format("append after {} to {}, commit {}, term {} v{}", id(m.header.previous), m.header.last.value(),
                       m.header.commit.value(), m.header.term.value(), m.header.version.value());
  }
  std::string operator()(const AppendAnswer& m) const {
    constexpr const char* kinds[] = {"matched", "missing", "fenced"};
    return fmt::format("{} {} (asked {}, has {}), commit {}, term {} life {}", kinds[static_cast<int>(m.kind)], m.matched.value(),
                       m.missing.value(), id(m.newest), m.commit.value(), m.term.value(), m.incarnation.value());
  }
  std::string operator()(const Snapshot& m) const {
    return fmt::format("snapshot {}, term {}", id(m.header.entry), m.header.term.value());
  }
  std::string operator()(const SnapshotTaken& m) const { return fmt::format("snapshot taken {}", m.offset.value()); }
  std::string operator()(const Heartbeat& m) const { return fmt::format("heartbeat {}", m.number); }
  std::string operator()(const HeartbeatAnswer& m) const {
    std::string out = fmt::format("heartbeat answer {} life {}", m.number, m.incarnation.value());
    for (const auto& each : m.news) out += fmt::format(", shard {} fenced by {}", each.shard.value(), each.term.value());
    return out;
  }
  std::string operator()(const NewTerm& m) const { return fmt::format("new term {} v{}", m.term.value(), m.version.value()); }
  std::string operator()(const NewTermAnswer& m) const {
    return fmt::format("fenced {} head {} served {} promised {}us", m.term.value(), id(m.head), m.served,
                       m.promised.count() / 1000);
  }
  std::string operator()(const BecomeLeader& m) const {
    return fmt::format("become leader {} {} wait {}us", m.term.value(), sets(m.membership), m.lease_wait.count() / 1000);
  }
  std::string operator()(const LeaderInstalled& m) const { return fmt::format("leads {}", m.term.value()); }
  std::string operator()(const ChangeMembers& m) const { return fmt::format("change {} {}", m.term.value(), sets(m.membership)); }
  std::string operator()(const CallRefused& m) const {
    return fmt::format("refused {}, knows {}", m.asked.value(), m.known.value());
  }
  std::string operator()(const MembersConfirmed& m) const {
    return fmt::format("confirmed {} v{}", m.term.value(), m.version.value());
  }
};

}  // namespace

std::string describe(const Message& message) {
  return fmt::format("shard {}, {} to {}: {}", message.shard.value(), message.from.value(), message.to.value(),
                     std::visit(Words{}, message.content));
}

}  // namespace skerry::sim
