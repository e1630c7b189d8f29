// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "control/metadata_folder.hpp"
#include "control/metadata_items.hpp"
#include "control/raft_core.hpp"
#include "control/raft_members.hpp"
#include "disk/log.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::control {

// Hears how far a RaftDisk has come.
class RaftDiskListener {
 public:
  virtual ~RaftDiskListener() = default;
  virtual void on_durable(const RaftPosition& position) = 0;
  virtual void on_snapshot_durable(Offset first_kept) = 0;   // the log needs nothing before
  virtual void on_full(const Error& why) = 0;                // what was written waits for space
  virtual void on_space() = 0;                               // and goes on
  virtual void on_failed(const Error& why) = 0;              // nothing is kept any more
};

// Where one coordinator of several keeps its part: a folder (see MetadataFolder) with
//   raft-identity   whose it is; another cluster's or coordinator's is refused
//   raft-snapshot   the status after some entry; replaced whole
//   raft-log/       the entries, and the highest term, as disk::Log keeps them
// What is given goes to the disk in that order, and is durable when the listener hears its position. On a full disk it waits. One
// core's.
class RaftDisk final : private disk::LogListener {
 public:
  struct Found {
    RaftRecovered recovered;
    MetadataTable table;   // after its snapshot
  };
  struct Options {
    std::string folder, cluster;
    RaftMembers members;
    std::uint64_t segment_bytes = 16 << 20;
  };
  // Fails with already_exists (another process), invalid_argument (not this coordinator's folder), unsupported, corrupt,
  // io_failed.
  static Task<Result<std::unique_ptr<RaftDisk>>> open(Core& core, disk::Disk& disk, Options options, RaftDiskListener& listener);
  RaftDisk(const RaftDisk&) = delete;
  RaftDisk& operator=(const RaftDisk&) = delete;
  ~RaftDisk() override;
  Found take_found() { return std::move(found_); }

  // What a core's effects and `log` say; `state` with an install. `position` is the core's after it.
  void write(const RaftEffects& effects, const RaftLog& log, Bytes state, const RaftPosition& position);
  // The status after this committed entry; the log needs nothing before `first_kept` when it is durable. False: another is being
  // written.
  bool snapshot(EntryId entry, Bytes state, Offset first_kept);

  bool full() const { return full_; }
  // Writes nothing more. What was given and not heard of may be durable or not.
  Task<> stop();

 private:
  struct Record {
    Term term;
  };
  struct Install {
    EntryId entry;
    Bytes state;
  };
  struct Cut {
    Offset last_kept;
  };
  struct Append {
    Offset offset;
    RaftEntry entry;
  };
  struct Step {
    std::variant<Record, Install, Cut, Append> what;
    RaftPosition position;
  };

  RaftDisk(Core& core, disk::Disk& disk, Options options, RaftDiskListener& listener);
  Task<Result<>> load();
  Task<Result<>> lock();
  Task<Result<>> check_identity();
  std::string identity() const;
  Result<> load_snapshot();
  Task<Result<>> load_log();
  EntryId log_base() const;

  void give(Step step);
  Result<disk::Sequence> log_step(const Step& step);
  void logged(disk::Sequence sequence, const RaftPosition& position);
  Task<> write_waiting();
  Task<Result<disk::Sequence>> write_step(const Step& step);
  Task<Result<>> replace_snapshot(EntryId entry, BytesView state);
  Task<> write_snapshot(EntryId entry, Bytes state, Offset first_kept);
  void tell(std::function<void()> what);
  static Task<> tell_from_loop(std::function<void()> what);
  void note_full(const Error& why);
  void fail_for_good(const Error& why);

  void on_synced(disk::Sequence up_to) override;
  void on_stopped(const Error& reason) override { fail_for_good(reason); }

  Core& core_;
  disk::Disk& disk_;
  const Options options_;
  RaftDiskListener& listener_;
  std::unique_ptr<MetadataFolder> folder_;
  std::unique_ptr<disk::Log> log_;
  Found found_;
  std::deque<Step> waiting_;   // for a file, or for space
  struct Written {
    disk::Sequence sequence;
    RaftPosition position;
  };
  std::deque<Written> written_;   // and not yet durable
  bool file_busy_ = false, snapshotting_ = false, full_ = false, failed_ = false;
  Signal changed_;
  TaskScope tasks_;
};

}   // namespace skerry::control
