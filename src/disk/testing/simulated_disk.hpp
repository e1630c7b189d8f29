// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "disk/disk.hpp"
#include "runtime/random.hpp"

namespace skerry {
class Core;
}

namespace skerry::disk {

// What goes wrong next. Counts start at 1 for the next one and are used up; 0 is never.
struct DiskFaults {
  std::uint64_t fail_write = 0;   // with an I/O error, nothing written
  std::uint64_t fail_sync = 0;    // what was to be synced is lost at the next crash, as on Linux
  std::uint64_t fail_open = 0;
  std::optional<std::uint64_t> capacity;   // bytes of all files; beyond it, the disk is full
  Duration sync_takes{};                   // by the core's timers
};

// The platters of a simulated machine: files and folders that outlive processes, and forget at a crash what was not synced.
// Owned by the test or simulator, shared by the disks of one machine's cores; one thread.
class SimulatedDiskState {
 public:
  DiskFaults faults;

  // The process dies and the power with it. Of what was not synced each sector (512 bytes) of each write is kept or lost by
  // chance, and of the changes to each folder's names a prefix is kept. Files that are open are dead from here on.
  void crash(Random& random);
  // The process dies, the machine goes on: everything written is kept, though still not durable. Locks are released.
  void kill();

  std::vector<std::string> paths() const;                          // of files, sorted
  Bytes content(const std::string& path) const;                    // as a reader sees it; empty when there is no such file
  void put(const std::string& path, Bytes content);                // durable at once, with its folders
  void erase(const std::string& path);                             // durable at once
  void make_folder(const std::string& folder) { folders_.insert(folder); }
  void remove_folder(const std::string& folder);                   // with all in it, durable at once
  void flip_bit(const std::string& path, std::uint64_t bit);       // in what is durable and in what is seen
  std::uint64_t bytes_used() const;
  std::uint64_t writes() const { return writes_; }
  std::uint64_t syncs() const { return syncs_; }
  std::uint64_t unsynced_bytes() const;
  std::uint64_t bytes_read() const { return bytes_read_; }   // of contents

 private:
  friend class SimulatedDisk;
  friend class SimulatedFile;
  friend class SimulatedLock;

  struct Change {   // of a file's content
    std::uint64_t position;
    Bytes bytes;
    bool resize = false;   // to `position`
    bool doomed = false;   // a sync of it failed
    std::uint64_t serial = 0;
  };
  struct Inode {
    Bytes durable, seen;
    std::vector<Change> changes;   // from durable to seen, in order
  };
  using InodePtr = std::shared_ptr<Inode>;
  struct NameChange {   // of one folder; a rename is one, as on every file system with a journal
    std::string path;     // gets `inode`; empty when there is none
    InodePtr inode;
    std::string gone;     // empty when nothing goes
    std::uint64_t serial = 0;
  };

  static void apply(Bytes& content, const Change& change);
  static void settle(Inode& inode, Random& random);
  Result<> change(Inode& inode, const std::string& path, Change change);
  void change_name(const std::string& folder, NameChange change);
  void rename_folder(const std::string& from, const std::string& to);
  static void apply(std::map<std::string, InodePtr>& names, const NameChange& change);
  static bool take_fault(std::uint64_t& countdown);

  std::map<std::string, InodePtr> names_, durable_names_;
  std::map<std::string, std::vector<NameChange>> name_changes_;   // by folder, since it was synced
  std::set<std::string> folders_, locks_;
  std::uint64_t serial_ = 0;   // of the newest change: a sync covers those up to the one it began at
  std::uint64_t life_ = 1;   // of the process; files of an earlier one are dead
  std::uint64_t writes_ = 0, syncs_ = 0, bytes_read_ = 0;
};

// A core's view of a simulated disk. Folders are durable at once; files and names in them are not.
class SimulatedDisk final : public Disk {
 public:
  SimulatedDisk(Core& core, SimulatedDiskState& state) : core_(core), state_(state) {}   // both must outlive this

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<> rename(const std::string& from, const std::string& to) override;
  Result<> remove(const std::string& path) override;
  Result<bool> exists(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& folder) const override;
  Result<> make_folders(const std::string& path) override;
  Task<Result<>> sync_folder(std::string path) override;
  Result<std::unique_ptr<FolderLock>> lock(const std::string& folder) override;
  Result<std::uint64_t> free_bytes(const std::string& folder) const override;

 private:
  Core& core_;
  SimulatedDiskState& state_;
};

}  // namespace skerry::disk
