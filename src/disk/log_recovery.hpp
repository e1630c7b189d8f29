// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "disk/log_segments.hpp"
#include "disk/log_table.hpp"

namespace skerry::disk {

// What a folder was found to hold.
struct RecoveredLog {
  LogTable table;
  std::deque<std::shared_ptr<Segment>> segments;   // begun ones, oldest first; the last is written on
  std::uint64_t next_sequence = 1;
  std::vector<std::uint64_t> unneeded;             // segments that are not part of the log: never begun, or left over
  std::vector<std::string> spares;
  std::optional<std::uint64_t> torn_at;            // in the last segment: where a batch begins that was not whole
  std::string torn_because;
};

enum class Repair { no, yes };

// Reads the log in `folder`. Repair::yes: cuts a torn tail and makes what is left durable; of a segment with a good footer
// only that is read, so what has rotted before it is found when it is read. Repair::no: reads every byte and changes nothing;
// when it finds nothing wrong, the other way leads to the same. Decides from the bytes alone. Errors: corrupt with file and
// position, unsupported for another format version, io_failed.
Task<Result<RecoveredLog>> recover_log(Core& core, Disk& disk, std::string folder, Repair repair);

// The header of a segment's file. The error names the file.
Task<Result<SegmentHeader>> read_segment_header(const File& file, std::string path, std::uint64_t generation);
// A whole file, without holding up the core.
Task<Result<>> read_whole(Core& core, const File& file, Bytes& into);   // replaces what `into` held

Error corrupt_at(const std::string& path, std::uint64_t position, std::string_view what);

}  // namespace skerry::disk
