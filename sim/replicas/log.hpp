// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "replica/replica_core.hpp"
#include "sim/replicas/oracle.hpp"

namespace skerry::sim {

// What one replica has on its disk, or will have once that is synced.
struct SimStore {
  Term term = no_term;
  MembershipVersion version{0};
  replica::EntryId before;            // the entry before the first kept one
  std::deque<SimEntry> entries;
  replica::EntryId applied;           // what the durable engine stands for
  std::uint64_t state = 0;            // of the durable engine

  Offset first() const { return before.offset.next(); }
  Offset last() const { return Offset(before.offset.value() + static_cast<std::int64_t>(entries.size())); }
  const SimEntry& at(Offset offset) const { return entries[static_cast<std::size_t>(offset.value() - first().value())]; }
  bool holds(Offset offset) const { return offset >= first() && offset <= last(); }
  void append(const SimEntry& entry) { entries.push_back(entry); }
  void cut_above(Offset last_kept) {
    while (last() > last_kept) entries.pop_back();
  }
  void trim(Offset first_kept) {
    while (first() < first_kept && !entries.empty()) {
      before = {entries.front().term, first()};
      entries.pop_front();
    }
  }
  void install(replica::EntryId entry, std::uint64_t with) {
    before = applied = entry;
    entries.clear();
    state = with;
  }
  replica::Recovered recovered() const;
};

struct LogRecord {
  struct NewTerm {
    Term term;
    MembershipVersion version;
  };
  struct Append {
    SimEntry entry;
  };
  struct Cut {
    Offset last_kept;
  };
  struct Install {
    replica::EntryId entry;
    std::uint64_t state;
  };
  struct Trim {
    Offset first_kept;
  };
  // A replica is made of others.
  struct Make {
    Term term;
    replica::EntryId entry;
    std::uint64_t state;
  };
  ShardId shard;
  std::variant<NewTerm, Append, Cut, Install, Trim, Make> what;
  replica::LogPosition position;   // of the shard's core, after this
};

void write_to(SimStore& store, const LogRecord& record);

}  // namespace skerry::sim
