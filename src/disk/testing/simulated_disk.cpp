// SPDX-License-Identifier: Apache-2.0
#include "disk/testing/simulated_disk.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "runtime/core.hpp"

namespace skerry::disk {
namespace {

constexpr std::uint64_t sector = 512;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::unexpected<Error> broken(const std::string& path, std::string_view operation) {
  return fail(Errc::io_failed, fmt::format("{}: cannot {}: Input/output error (simulated)", path, operation));
}

}  // namespace

std::uint64_t SimulatedDiskState::bytes_used() const {
  std::uint64_t sum = 0;
  for (const auto& [path, inode] : names_) sum += inode->seen.size();
  return sum;
}

std::uint64_t SimulatedDiskState::unsynced_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, inode] : names_) {
    for (const Change& change : inode->changes) sum += change.bytes.size();
  }
  return sum;
}

std::vector<std::string> SimulatedDiskState::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, inode] : names_) all.push_back(path);
  return all;
}

Bytes SimulatedDiskState::content(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? Bytes{} : found->second->seen;
}

void SimulatedDiskState::put(const std::string& path, Bytes content) {
  auto inode = std::make_shared<Inode>();
  inode->durable = inode->seen = std::move(content);
  names_[path] = durable_names_[path] = std::move(inode);
  for (std::string folder = folder_of(path); folders_.insert(folder).second && folder != "/" && folder != ".";) {
    folder = folder_of(folder);
  }
}

void SimulatedDiskState::erase(const std::string& path) {
  names_.erase(path);
  durable_names_.erase(path);
}

void SimulatedDiskState::flip_bit(const std::string& path, std::uint64_t bit) {
  Inode& inode = *names_.at(path);
  for (Bytes* bytes : {&inode.durable, &inode.seen}) {
    if (bit / 8 < bytes->size()) (*bytes)[bit / 8] = static_cast<char>((*bytes)[bit / 8] ^ (1 << (bit % 8)));
  }
}

void SimulatedDiskState::apply(Bytes& content, const Change& change) {
  if (change.resize) return content.resize(change.position, '\0');
  content.resize(std::max<std::uint64_t>(content.size(), change.position + change.bytes.size()), '\0');
  content.replace(change.position, change.bytes.size(), change.bytes);
}

// Decides what the platters hold of the changes that were not synced.
void SimulatedDiskState::settle(Inode& inode, Random& random) {
  for (const Change& change : inode.changes) {
    const std::uint64_t fate = random.below(3);   // all lost, all kept, torn
    if (change.doomed || fate == 0) continue;
    if (change.resize || fate == 1) {
      apply(inode.durable, change);
      continue;
    }
    for (std::uint64_t at = change.position; at < change.position + change.bytes.size();) {
      const std::uint64_t end = std::min((at / sector + 1) * sector, change.position + change.bytes.size());
      if (random.chance(0.5)) apply(inode.durable, {at, change.bytes.substr(at - change.position, end - at)});
      at = end;
    }
  }
  inode.changes.clear();
  inode.seen = inode.durable;
}

void SimulatedDiskState::crash(Random& random) {
  kill();
  for (auto& [folder, changes] : name_changes_) {
    const std::uint64_t kept = random.below(changes.size() + 1);
    for (std::uint64_t i = 0; i < kept; ++i) apply(durable_names_, changes[i]);
  }
  name_changes_.clear();
  names_ = durable_names_;
  std::set<Inode*> settled;
  for (auto& [path, inode] : names_) {
    if (settled.insert(inode.get()).second) settle(*inode, random);
  }
}

void SimulatedDiskState::kill() {
  ++life_;
  locks_.clear();
}

Result<> SimulatedDiskState::change(Inode& inode, const std::string& path, Change change) {
  ++writes_;
  if (take_fault(faults.fail_write)) return broken(path, "write");
  const std::uint64_t size = change.position + change.bytes.size();
  const std::uint64_t growth = size > inode.seen.size() ? size - inode.seen.size() : 0;
  if (faults.capacity && growth > 0 && bytes_used() + growth > *faults.capacity) {
    return fail(Errc::resource_exhausted, fmt::format("{}: cannot write: the disk is full (simulated)", path));
  }
  apply(inode.seen, change);
  change.serial = ++serial_;
  inode.changes.push_back(std::move(change));
  return {};
}

void SimulatedDiskState::change_name(const std::string& folder, NameChange change) {
  apply(names_, change);
  change.serial = ++serial_;
  name_changes_[folder].push_back(std::move(change));
}

void SimulatedDiskState::apply(std::map<std::string, InodePtr>& names, const NameChange& change) {
  if (!change.gone.empty()) names.erase(change.gone);
  if (change.inode) names[change.path] = change.inode;
}

void SimulatedDiskState::remove_folder(const std::string& folder) {
  const auto inside = [&](const std::string& path) { return path == folder || path.starts_with(folder + "/"); };
  std::erase_if(folders_, inside);
  std::erase_if(name_changes_, [&](const auto& each) { return inside(each.first); });
  for (auto* names : {&names_, &durable_names_}) std::erase_if(*names, [&](const auto& each) { return inside(each.first); });
}

void SimulatedDiskState::rename_folder(const std::string& from, const std::string& to) {
  const auto moved = [&](const std::string& path) { return to + path.substr(from.size()); };
  const auto inside = [&](const std::string& path) { return path == from || path.starts_with(from + "/"); };
  std::set<std::string> folders;
  for (const std::string& folder : folders_) folders.insert(inside(folder) ? moved(folder) : folder);
  folders_ = std::move(folders);
  for (auto* names : {&names_, &durable_names_}) {
    std::map<std::string, InodePtr> kept;
    for (const auto& [path, inode] : *names) kept[inside(path) ? moved(path) : path] = inode;
    *names = std::move(kept);
  }
  std::map<std::string, std::vector<NameChange>> changes;
  for (auto& [folder, list] : name_changes_) {
    for (NameChange& each : list) {
      for (std::string* path : {&each.path, &each.gone})
        if (inside(*path)) *path = moved(*path);
    }
    changes[inside(folder) ? moved(folder) : folder] = std::move(list);
  }
  name_changes_ = std::move(changes);
}

// True once, when the count runs out.
bool SimulatedDiskState::take_fault(std::uint64_t& countdown) {
  if (countdown == 0) return false;
  --countdown;
  return countdown == 0;
}

class SimulatedLock final : public FolderLock {
 public:
  SimulatedLock(SimulatedDiskState& state, std::string folder) : state_(state), life_(state.life_), folder_(std::move(folder)) {}
  ~SimulatedLock() override {
    if (life_ == state_.life_) state_.locks_.erase(folder_);
  }

 private:
  SimulatedDiskState& state_;
  std::uint64_t life_;
  std::string folder_;
};

class SimulatedFile final : public File {
 public:
  SimulatedFile(Core& core, SimulatedDiskState& state, std::string path, SimulatedDiskState::InodePtr inode)
      : core_(core), state_(state), life_(state.life_), path_(std::move(path)), inode_(std::move(inode)) {}

  Result<std::uint64_t> size() const override { return inode_->seen.size(); }

  Result<std::size_t> read_at(std::uint64_t position, std::span<char> into) const override {
    if (position >= inode_->seen.size()) return std::size_t{0};
    const std::size_t count = inode_->seen.copy(into.data(), into.size(), position);
    state_.bytes_read_ += count;
    return count;
  }

  Task<Result<Bytes>> read(std::uint64_t position, std::size_t bytes) const override {
    co_await core_.yield();
    Bytes found = position >= inode_->seen.size() ? Bytes{} : inode_->seen.substr(position, bytes);
    state_.bytes_read_ += found.size();
    co_return found;
  }

  Result<> write_at(std::uint64_t position, std::span<const BytesView> pieces) override {
    Bytes all;
    for (const BytesView piece : pieces) all += piece;
    return change({position, std::move(all)});
  }

  Result<> truncate(std::uint64_t size) override { return change({size, {}, true}); }

  Task<Result<>> allocate(std::uint64_t bytes) override {
    co_await core_.yield();
    if (bytes <= inode_->seen.size()) co_return Result<>{};
    co_return change({bytes, {}, true});
  }

  Task<Result<>> write_zeros(std::uint64_t position, std::uint64_t bytes) override {
    co_await core_.yield();
    co_return change({position, Bytes(bytes, '\0')});
  }

  Task<Result<>> sync() override {
    const std::uint64_t covered = state_.serial_;
    if (state_.faults.sync_takes > Duration{}) {
      co_await core_.sleep_for(state_.faults.sync_takes);
    } else {
      co_await core_.yield();
    }
    if (!alive()) co_return broken(path_, "sync");
    co_return finish_sync(covered);
  }

 private:
  bool alive() const { return life_ == state_.life_; }

  Result<> change(SimulatedDiskState::Change change) {
    if (!alive()) return broken(path_, "write");
    return state_.change(*inode_, path_, std::move(change));
  }

  Result<> finish_sync(std::uint64_t covered) {
    ++state_.syncs_;
    const bool fails = state_.take_fault(state_.faults.fail_sync);
    std::vector<SimulatedDiskState::Change> rest;
    for (auto& change : inode_->changes) {
      if (change.serial <= covered && fails) change.doomed = true;
      if (change.serial <= covered && !change.doomed) {
        SimulatedDiskState::apply(inode_->durable, change);
      } else {
        rest.push_back(std::move(change));
      }
    }
    inode_->changes = std::move(rest);
    if (fails) return broken(path_, "sync");
    return {};
  }

  Core& core_;
  SimulatedDiskState& state_;
  std::uint64_t life_;
  std::string path_;
  SimulatedDiskState::InodePtr inode_;
};

Result<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path, OpenMode mode) {
  if (state_.take_fault(state_.faults.fail_open)) return broken(path, "open");
  const auto found = state_.names_.find(path);
  if (mode == OpenMode::create) {
    if (found != state_.names_.end()) return fail(Errc::already_exists, path + ": cannot create: it exists");
    if (!state_.folders_.contains(folder_of(path))) return fail(Errc::not_found, path + ": cannot create: no such folder");
    auto inode = std::make_shared<SimulatedDiskState::Inode>();
    state_.change_name(folder_of(path), {.path = path, .inode = inode, .gone = {}});
    return std::make_unique<SimulatedFile>(core_, state_, path, std::move(inode));
  }
  if (found == state_.names_.end()) return fail(Errc::not_found, path + ": cannot open: no such file");
  return std::make_unique<SimulatedFile>(core_, state_, path, found->second);
}

Result<> SimulatedDisk::rename(const std::string& from, const std::string& to) {
  if (state_.folders_.contains(from)) {
    state_.rename_folder(from, to);
    return {};
  }
  const auto found = state_.names_.find(from);
  if (found == state_.names_.end()) return fail(Errc::not_found, from + ": cannot rename: no such file");
  const auto inode = found->second;
  state_.change_name(folder_of(to), {.path = to, .inode = inode, .gone = from == to ? "" : from});
  return {};
}

Result<> SimulatedDisk::remove(const std::string& path) {
  if (!state_.names_.contains(path)) return fail(Errc::not_found, path + ": cannot remove: no such file");
  state_.change_name(folder_of(path), {.path = {}, .inode = nullptr, .gone = path});
  return {};
}

Result<bool> SimulatedDisk::exists(const std::string& path) const {
  return state_.names_.contains(path) || state_.folders_.contains(path);
}

Result<std::vector<std::string>> SimulatedDisk::list(const std::string& folder) const {
  if (!state_.folders_.contains(folder)) return fail(Errc::not_found, folder + ": cannot list: no such folder");
  std::set<std::string> names;
  const auto add = [&](const std::string& path) {
    if (path != folder && folder_of(path) == folder) names.insert(path.substr(path.rfind('/') + 1));
  };
  for (const auto& [path, inode] : state_.names_) add(path);
  for (const std::string& path : state_.folders_) add(path);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<> SimulatedDisk::make_folders(const std::string& path) {
  for (std::string folder = path; state_.folders_.insert(folder).second && folder != "/" && folder != ".";) {
    folder = folder_of(folder);
  }
  return {};
}

Task<Result<>> SimulatedDisk::sync_folder(std::string path) {
  const std::uint64_t life = state_.life_;
  const std::uint64_t covered = state_.serial_;
  if (state_.faults.sync_takes > Duration{}) {
    co_await core_.sleep_for(state_.faults.sync_takes);
  } else {
    co_await core_.yield();
  }
  if (life != state_.life_) co_return broken(path, "sync the folder");
  ++state_.syncs_;
  if (state_.take_fault(state_.faults.fail_sync)) co_return broken(path, "sync the folder");
  auto& changes = state_.name_changes_[path];
  for (const auto& change : changes) {
    if (change.serial <= covered) SimulatedDiskState::apply(state_.durable_names_, change);
  }
  std::erase_if(changes, [&](const auto& change) { return change.serial <= covered; });
  co_return Result<>{};
}

Result<std::unique_ptr<FolderLock>> SimulatedDisk::lock(const std::string& folder) {
  if (!state_.locks_.insert(folder).second) {
    return fail(Errc::already_exists, fmt::format("{}: in use by process 1: stop it, or choose another data folder", folder));
  }
  return std::make_unique<SimulatedLock>(state_, folder);
}

Result<std::uint64_t> SimulatedDisk::free_bytes(const std::string&) const {
  const std::uint64_t capacity = state_.faults.capacity.value_or(std::uint64_t{1} << 40);
  const std::uint64_t used = state_.bytes_used();
  return capacity > used ? capacity - used : 0;
}

}  // namespace skerry::disk
