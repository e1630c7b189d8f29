// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.hpp"
#include "disk/log.hpp"
#include "disk/log_format.hpp"

namespace skerry {
class Core;
}

namespace skerry::disk {

// Reading a log's folder without changing it: for `skerry wal scan` and `skerry wal verify`. Works on a copy, and on the
// folder of a running process too, where the newest records may be half written.

// One record as it stands in a file; its checksums are right. `payload` lives during the call only.
struct LogRecordView {
  const std::string& file;
  std::uint64_t position;
  const RecordHeader& header;
  BytesView payload;
};

// How one segment was found.
struct SegmentReport {
  enum class State {
    good,
    torn,         // ends in a batch that is not whole and was never synced
    damaged,      // something that was synced is bad
    never_begun,  // made ahead of need
    unreadable,   // its header is bad; see `reason`
  };
  std::string file;
  State state = State::good;
  std::uint64_t records = 0;      // with right checksums, in whole batches
  std::uint64_t end = 0;          // behind the last whole batch
  std::uint64_t bad = 0;          // position of what is wrong, when torn or damaged
  std::string reason;
};
std::string_view name_of(SegmentReport::State state);

// Shows every record of every whole batch of every segment, oldest first, also behind a damaged segment; then tells about
// each segment. The error is the visitor's, or that the folder cannot be read.
Task<Result<std::vector<SegmentReport>>> scan_log(Core& core, Disk& disk, std::string folder,
                                                  std::function<Result<>(const LogRecordView&)> visit);

// What opening the log would find. Its error is the one that opening would refuse with.
struct LogVerdict {
  std::map<ShardId, LogShard> shards;
  std::uint64_t last_sequence = 0;
  std::size_t segments = 0;
  std::optional<std::string> torn;     // what opening would cut, with file and position
  std::optional<std::string> in_use;   // who holds the folder: the newest records may be half written
};
Task<Result<LogVerdict>> verify_log(Core& core, Disk& disk, std::string folder);

}  // namespace skerry::disk
