// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/result.hpp"
#include "control/raft_messages.hpp"
#include "skerry/control/v1/raft.pb.h"

namespace skerry::control {

// A RaftCore's messages as they travel; snapshots go in parts, beside them. Whether a message makes sense the core says.
void write(const RaftMessage& message, v1::RaftMessage& out);   // requires: no snapshot
Result<RaftMessage> read(const v1::RaftMessage& in);            // fails with corrupt

EntryId entry_from_wire(const v1::EntryId& in);
void entry_to_wire(const EntryId& entry, v1::EntryId& out);
inline TimePoint time_from_wire(std::int64_t nanos) { return TimePoint(Duration(nanos)); }
inline std::int64_t time_to_wire(TimePoint time) { return time.time_since_epoch().count(); }

}   // namespace skerry::control
