// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "disk/disk.hpp"
#include "disk/log.hpp"
#include "disk/log_format.hpp"
#include "disk/log_table.hpp"

namespace skerry::disk {

// One segment of an open log. Records are placed in it before its file exists; they are written once `file` is set.
struct Segment {
  SegmentHeader header;
  PreviousSegment previous;
  std::shared_ptr<File> file;              // null until the segment is made
  std::optional<Error> failure;            // why making it failed last time; it is tried again
  std::uint64_t end = segment_data_start;  // where the next batch goes, behind all that was placed
  std::uint64_t synced = segment_data_start;
  std::uint64_t first_sequence = 0;        // set when begun
  bool footed = false;                     // its footer was found, or is written
  std::optional<Bytes> footer;             // of a closed segment: to be written once that is due

  bool made() const { return file != nullptr; }
  bool begun() const { return end > segment_data_start; }
};

// What is to be written at the end of a segment that is closed now: `table` is what its last record led to. Nothing when no
// room is left for it.
std::optional<Bytes> footer_of(const Segment& segment, const LogTable& table, std::uint64_t next_sequence);

// Makes segments, from spares where there are any, and turns segments that nobody needs into spares. Owned by a log,
// which calls it from one background task; at any point a crash leaves nothing that recovery can't tell.
class SegmentPool {
 public:
  SegmentPool(Core& core, Disk& disk, std::string folder, const LogOptions& options, std::vector<std::string> spares);

  // A segment to place records in; make() gives it its file.
  std::shared_ptr<Segment> plan(std::uint64_t generation);
  // Zero-fills or reuses a file, writes the header, and gives it its name, each durable before the next.
  Task<Result<>> make(std::shared_ptr<Segment> segment);
  // Takes the names from segments that nobody needs; the files become spares, or go when there are enough.
  Task<Result<>> recycle(std::vector<std::uint64_t> generations);

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string path(const Segment& segment) const { return path(segment_name(segment.header.generation)); }
  std::size_t spares() const { return spares_.size(); }

 private:
  struct Blank {
    std::string path;
    std::unique_ptr<File> file;
  };
  Result<std::optional<Blank>> take_spare();
  Task<Result<Blank>> create();
  Task<Result<>> fill(File& file);

  Core& core_;
  Disk& disk_;
  std::string folder_;
  LogOptions options_;
  std::deque<std::string> spares_;   // names
  std::uint64_t next_spare_ = 1;     // number in the name of the next one; none is used twice
};

}  // namespace skerry::disk
