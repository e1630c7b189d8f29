// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "control/raft_core.hpp"

namespace skerry::sim {

// What one coordinator has on its disk: its log, and beside it a file with a snapshot.
struct RaftStore {
  Term term = no_term;
  control::RaftLog log;
  control::EntryId snapshot;
  std::uint64_t state = 0;   // of the snapshot

  // As a start finds it. Nothing when log and snapshot can't belong together.
  std::optional<control::RaftRecovered> recovered() const;
};

struct RaftRecord {
  struct Begin {
    Term term;
  };
  struct Append {
    control::RaftEntry entry;
  };
  struct Cut {
    Offset last_kept;
  };
  struct Snapshot {   // a file; the log is as it was
    control::EntryId entry;
    std::uint64_t state;
    Offset first_kept;
  };
  struct Install {   // a file, then the log
    control::EntryId entry;
    std::uint64_t state;
  };
  struct Trim {
    Offset first_kept;
  };
  std::variant<Begin, Append, Cut, Snapshot, Install, Trim> what;
  control::RaftPosition position;   // of the core, after this
};

void write_to(RaftStore& store, const RaftRecord& record);
// The file alone, which may become durable before what was written to the log earlier.
void write_file_to(RaftStore& store, const RaftRecord& record);

}   // namespace skerry::sim
