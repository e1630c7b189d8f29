// SPDX-License-Identifier: Apache-2.0
#include "store/testing/forgetful_file_system.hpp"

#include <rocksdb/system_clock.h>

#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/bytes.hpp"
#include "store/rocksdb_files.hpp"

namespace skerry::store::testing {

using rocksdb::IOStatus;

namespace {

struct Inode {
  Bytes bytes;
  std::size_t synced = 0;   // so many bytes from the start are durable
};
using InodePtr = std::shared_ptr<Inode>;
using Names = std::map<std::string, InodePtr>;

// One change of names: what `name` means from then on. A rename is two of them, and happens whole or not at all.
struct Renaming {
  std::vector<std::pair<std::string, InodePtr>> now;   // null: gone
};

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// RocksDB writes paths with doubled and trailing slashes.
std::string tidy(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
  }
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string file) : name(std::move(file)) {}
  const std::string name;
};

class Silence final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

class Impatient final : public rocksdb::SystemClockWrapper {
 public:
  Impatient() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "Impatient"; }
  void SleepForMicroseconds(int) override {}
};

class Environment final : public rocksdb::EnvWrapper {
 public:
  explicit Environment(const std::shared_ptr<rocksdb::FileSystem>& files) : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    file_system_ = files;
    system_clock_ = std::make_shared<Impatient>();
  }
};

// With the power off, writing a table seems to succeed and leaves nothing; what would make it count still fails. RocksDB (7.8.3)
// runs into an assertion of its statistics when a compaction's only output is empty and can't be finished.
bool is_table(const std::string& name) { return name.ends_with(".sst") && name.find("/incoming/") == name.npos; }

IOStatus off() { return IOStatus::IOError("the power is off"); }
IOStatus no_space() { return IOStatus::NoSpace("the disk is full"); }
IOStatus missing(const std::string& name) { return IOStatus::NotFound("No such file", name); }

}  // namespace

// All files and names, behind one lock. Shared with open files, which may outlive the file system.
class ForgetfulFileSystem::Contents {
 public:
  // Every change passes here. False once the power is off.
  bool change() {
    if (off_) return false;
    ++changes_;
    if (stop_after_ && changes_ > *stop_after_) off_ = true;
    return !off_;
  }

  void rename(Renaming renaming) {
    for (const auto& [name, inode] : renaming.now) set(live_, name, inode);
    unsynced_.push_back(std::move(renaming));
  }
  void sync_names() {
    for (const Renaming& each : unsynced_) apply(each);
    unsynced_.clear();
  }

  InodePtr find(const std::string& name) const {
    const auto found = live_.find(tidy(name));
    return found == live_.end() ? nullptr : found->second;
  }

  bool is_in_memory(std::uint64_t at) const {
    constexpr std::uint64_t piece_bytes = 64;
    return in_memory == InMemory::all || (in_memory == InMemory::some && at / piece_bytes % 2 != 0);
  }

  std::shared_ptr<Contents> survivors(Random& random) {
    off_ = true;
    const std::uint64_t kept = random.below(unsynced_.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) apply(unsynced_[i]);
    auto out = std::make_shared<Contents>();
    std::map<InodePtr, InodePtr> copies;   // two names of one file stay two names of one file
    for (const auto& [name, inode] : durable_) {
      InodePtr& copy = copies[inode];
      if (!copy) copy = survivor(*inode, random);
      out->durable_[name] = out->live_[name] = copy;
    }
    out->folders = folders;
    out->in_memory = in_memory;
    return out;
  }

  mutable std::mutex mutex;
  std::set<std::string> folders{"/"};
  std::set<std::string> locks;
  InMemory in_memory = InMemory::some;
  bool off_ = false, full_ = false;
  std::uint64_t changes_ = 0;
  std::optional<std::uint64_t> stop_after_;
  const Names& live() const { return live_; }

 private:
  static void set(Names& names, const std::string& name, const InodePtr& inode) {
    if (inode) {
      names[name] = inode;
    } else {
      names.erase(name);
    }
  }
  void apply(const Renaming& renaming) {
    for (const auto& [name, inode] : renaming.now) set(durable_, name, inode);
  }

  static InodePtr survivor(const Inode& inode, Random& random) {
    auto copy = std::make_shared<Inode>();
    const std::size_t unsynced = inode.bytes.size() - inode.synced;
    copy->bytes = inode.bytes.substr(0, inode.synced + random.below(unsynced + 1));
    copy->synced = copy->bytes.size();
    return copy;
  }

  Names live_;                       // what running programs see
  Names durable_;                    // what a crash surely leaves
  std::vector<Renaming> unsynced_;   // between the two, in order
};

class ForgetfulFileSystem::Reader final : public rocksdb::FSRandomAccessFile {
 public:
  Reader(std::shared_ptr<Contents> contents, InodePtr inode) : contents_(std::move(contents)), inode_(std::move(inode)) {}

  IOStatus Read(std::uint64_t at, std::size_t count, const Options&, rocksdb::Slice* result, char* into, Debug*) const override {
    const std::lock_guard lock(contents_->mutex);
    if (contents_->off_) return off();
    if (reading_without_waiting() && !contents_->is_in_memory(at)) return would_wait();
    count = at >= inode_->bytes.size() ? 0 : std::min(count, inode_->bytes.size() - at);
    if (count > 0) std::memcpy(into, inode_->bytes.data() + at, count);
    *result = rocksdb::Slice(into, count);
    return IOStatus::OK();
  }

 private:
  std::shared_ptr<Contents> contents_;
  InodePtr inode_;
};

class ForgetfulFileSystem::SequentialReader final : public rocksdb::FSSequentialFile {
 public:
  SequentialReader(std::shared_ptr<Contents> contents, InodePtr inode) : reader_(std::move(contents), std::move(inode)) {}
  IOStatus Read(std::size_t count, const Options& options, rocksdb::Slice* result, char* into, Debug* debug) override {
    const IOStatus status = reader_.Read(position_, count, options, result, into, debug);
    if (status.ok()) position_ += result->size();
    return status;
  }
  IOStatus Skip(std::uint64_t count) override {
    position_ += count;
    return IOStatus::OK();
  }

 private:
  Reader reader_;
  std::uint64_t position_ = 0;
};

class ForgetfulFileSystem::Writer final : public rocksdb::FSWritableFile {
 public:
  Writer(std::shared_ptr<Contents> contents, InodePtr inode, const std::string& name)
      : contents_(std::move(contents)), inode_(std::move(inode)), pretends_(is_table(name)) {}

  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const Options&, Debug*) override {
    const std::lock_guard lock(contents_->mutex);
    if (contents_->full_) return no_space();
    if (!contents_->change()) return refused();
    inode_->bytes.append(data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus Truncate(std::uint64_t size, const Options&, Debug*) override {
    const std::lock_guard lock(contents_->mutex);
    if (!contents_->change()) return refused();
    inode_->bytes.resize(size);
    inode_->synced = std::min<std::size_t>(inode_->synced, size);
    return IOStatus::OK();
  }
  IOStatus Close(const Options&, Debug*) override { return IOStatus::OK(); }
  IOStatus Flush(const Options&, Debug*) override { return IOStatus::OK(); }
  IOStatus Sync(const Options&, Debug*) override {
    const std::lock_guard lock(contents_->mutex);
    if (!contents_->change()) return refused();
    inode_->synced = inode_->bytes.size();
    return IOStatus::OK();
  }
  std::uint64_t GetFileSize(const Options&, Debug*) override {
    const std::lock_guard lock(contents_->mutex);
    return inode_->bytes.size();
  }

 private:
  IOStatus refused() const { return pretends_ ? IOStatus::OK() : off(); }
  std::shared_ptr<Contents> contents_;
  InodePtr inode_;
  const bool pretends_;
};

class ForgetfulFileSystem::Folder final : public rocksdb::FSDirectory {
 public:
  explicit Folder(std::shared_ptr<Contents> contents) : contents_(std::move(contents)) {}
  IOStatus Fsync(const Options&, Debug*) override {
    const std::lock_guard lock(contents_->mutex);
    if (!contents_->change()) return off();
    contents_->sync_names();
    return IOStatus::OK();
  }
  IOStatus Close(const Options&, Debug*) override { return IOStatus::OK(); }

 private:
  std::shared_ptr<Contents> contents_;
};

ForgetfulFileSystem::ForgetfulFileSystem()
    : FileSystemWrapper(rocksdb::FileSystem::Default()), contents_(std::make_shared<Contents>()) {}
ForgetfulFileSystem::~ForgetfulFileSystem() = default;

void ForgetfulFileSystem::stop_after(std::uint64_t changes) {
  const std::lock_guard lock(contents_->mutex);
  contents_->stop_after_ = contents_->changes_ + changes;
}

bool ForgetfulFileSystem::stopped() const {
  const std::lock_guard lock(contents_->mutex);
  return contents_->off_;
}

void ForgetfulFileSystem::fill(bool full) {
  const std::lock_guard lock(contents_->mutex);
  contents_->full_ = full;
}

void ForgetfulFileSystem::keep_in_memory(InMemory what) {
  const std::lock_guard lock(contents_->mutex);
  contents_->in_memory = what;
}

std::uint64_t ForgetfulFileSystem::changes() const {
  const std::lock_guard lock(contents_->mutex);
  return contents_->changes_;
}

std::shared_ptr<ForgetfulFileSystem> ForgetfulFileSystem::crash(Random& random) {
  auto next = std::make_shared<ForgetfulFileSystem>();
  const std::lock_guard lock(contents_->mutex);
  next->contents_ = contents_->survivors(random);
  return next;
}

bool ForgetfulFileSystem::damage(const std::string& suffix, Random& random) {
  const std::lock_guard lock(contents_->mutex);
  for (const auto& [name, inode] : contents_->live()) {
    if (!name.ends_with(suffix) || inode->bytes.empty()) continue;
    char& byte = inode->bytes[random.below(inode->bytes.size())];
    byte = static_cast<char>(byte ^ (1 << random.below(8)));
    return true;
  }
  return false;
}

IOStatus ForgetfulFileSystem::NewSequentialFile(const std::string& name, const rocksdb::FileOptions&,
                                                std::unique_ptr<rocksdb::FSSequentialFile>* result, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const InodePtr inode = contents_->find(name);
  if (!inode) return contents_->off_ ? off() : missing(name);
  *result = std::make_unique<SequentialReader>(contents_, inode);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions&,
                                                  std::unique_ptr<rocksdb::FSRandomAccessFile>* result, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const InodePtr inode = contents_->find(name);
  if (!inode) return contents_->off_ ? off() : missing(name);
  *result = std::make_unique<Reader>(contents_, inode);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::NewWritableFile(const std::string& name, const rocksdb::FileOptions&,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  if (!contents_->folders.contains(folder_of(tidy(name)))) return missing(name);
  if (contents_->full_) return no_space();
  auto inode = std::make_shared<Inode>();
  if (contents_->change()) {
    contents_->rename({{{tidy(name), inode}}});
  } else if (!is_table(name)) {
    return off();
  }
  *result = std::make_unique<Writer>(contents_, std::move(inode), name);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                 std::unique_ptr<rocksdb::FSWritableFile>* result, Debug* debug) {
  {
    const std::lock_guard lock(contents_->mutex);
    if (const InodePtr inode = contents_->find(name)) {
      *result = std::make_unique<Writer>(contents_, inode, name);
      return IOStatus::OK();
    }
  }
  return NewWritableFile(name, options, result, debug);
}

IOStatus ForgetfulFileSystem::ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                                                std::unique_ptr<rocksdb::FSWritableFile>*, Debug*) {
  return IOStatus::NotSupported("reusing files");
}

IOStatus ForgetfulFileSystem::NewDirectory(const std::string& name, const Options&, std::unique_ptr<rocksdb::FSDirectory>* result,
                                           Debug*) {
  const std::lock_guard lock(contents_->mutex);
  if (!contents_->folders.contains(tidy(name))) return missing(name);
  *result = std::make_unique<Folder>(contents_);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::FileExists(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  return contents_->find(name) || contents_->folders.contains(tidy(name)) ? IOStatus::OK() : missing(name);
}

IOStatus ForgetfulFileSystem::GetChildren(const std::string& folder, const Options&, std::vector<std::string>* result, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const std::string start = tidy(folder) + "/";
  if (!contents_->folders.contains(tidy(folder))) return missing(folder);
  result->clear();
  for (const auto& [name, inode] : contents_->live()) {
    if (name.starts_with(start) && name.find('/', start.size()) == name.npos) result->push_back(name.substr(start.size()));
  }
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::DeleteFile(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  if (!contents_->find(name)) return missing(name);
  if (!contents_->change()) return off();
  contents_->rename({{{tidy(name), nullptr}}});
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::Truncate(const std::string& name, std::size_t size, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const InodePtr inode = contents_->find(name);
  if (!inode) return contents_->off_ ? off() : missing(name);
  if (!contents_->change()) return off();
  inode->bytes.resize(size);
  inode->synced = std::min(inode->synced, size);
  return IOStatus::OK();
}

// Folders are durable at once: which of them exist is not what is tested here.
IOStatus ForgetfulFileSystem::CreateDir(const std::string& name, const Options& options, Debug* debug) {
  return CreateDirIfMissing(name, options, debug);
}

IOStatus ForgetfulFileSystem::CreateDirIfMissing(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  contents_->folders.insert(tidy(name));
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::DeleteDir(const std::string& name, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  contents_->folders.erase(tidy(name));
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::GetFileSize(const std::string& name, const Options&, std::uint64_t* size, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const InodePtr inode = contents_->find(name);
  if (!inode) return contents_->off_ ? off() : missing(name);
  *size = inode->bytes.size();
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::GetFileModificationTime(const std::string&, const Options&, std::uint64_t* time, Debug*) {
  *time = 0;
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::GetAbsolutePath(const std::string& path, const Options&, std::string* result, Debug*) {
  *result = path;
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::RenameFile(const std::string& from, const std::string& to, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const InodePtr inode = contents_->find(from);
  if (!inode) return missing(from);
  if (!contents_->change()) return off();
  contents_->rename({{{tidy(from), nullptr}, {tidy(to), inode}}});
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::LinkFile(const std::string& from, const std::string& to, const Options&, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  const InodePtr inode = contents_->find(from);
  if (!inode) return missing(from);
  if (contents_->full_) return no_space();
  if (!contents_->change()) return off();
  contents_->rename({{{tidy(to), inode}}});
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::LockFile(const std::string& name, const Options&, rocksdb::FileLock** lock, Debug*) {
  const std::lock_guard guard(contents_->mutex);
  if (!contents_->locks.insert(tidy(name)).second) return IOStatus::IOError("lock " + name, "already held by process");
  *lock = new Lock(tidy(name));
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::UnlockFile(rocksdb::FileLock* lock, const Options&, Debug*) {
  const std::lock_guard guard(contents_->mutex);
  const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));   // we gave no other kind
  contents_->locks.erase(held->name);
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::NewLogger(const std::string&, const Options&, std::shared_ptr<rocksdb::Logger>* result, Debug*) {
  *result = std::make_shared<Silence>();
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::GetFreeSpace(const std::string&, const Options&, std::uint64_t* bytes, Debug*) {
  *bytes = 1ULL << 40;
  return IOStatus::OK();
}

IOStatus ForgetfulFileSystem::IsDirectory(const std::string& path, const Options&, bool* is_directory, Debug*) {
  const std::lock_guard lock(contents_->mutex);
  *is_directory = contents_->folders.contains(tidy(path));
  return IOStatus::OK();
}

std::shared_ptr<rocksdb::Env> environment_of(const std::shared_ptr<ForgetfulFileSystem>& files) {
  return std::make_shared<Environment>(files);
}

}  // namespace skerry::store::testing
