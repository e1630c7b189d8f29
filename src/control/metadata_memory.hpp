// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "control/metadata.hpp"
#include "control/metadata_items.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"

namespace skerry::control {

class MetadataMemory;

// What the coordinators of a test share in place of disks, and what goes wrong there. One core's; outlives them.
struct MetadataShared {
  explicit MetadataShared(Core& core) : changed(core) {}

  MetadataTable table;
  std::int64_t epoch = 0;
  MetadataMemory* in_office = nullptr;
  Signal changed;

  Duration commit_takes{};
  int fail_commits = 0;   // so many of the next ones fail with io_failed, kept or not in turn
};

// Keeps the status in memory: for tests. A commit is seen by others, and answered, when its time is over.
class MetadataMemory final : public Metadata {
 public:
  MetadataMemory(Core& core, MetadataShared& shared, std::string address)
      : core_(core), shared_(shared), address_(std::move(address)) {}
  MetadataMemory(const MetadataMemory&) = delete;
  MetadataMemory& operator=(const MetadataMemory&) = delete;
  ~MetadataMemory() override { oust(); }   // as a process that dies

  Task<Result<Office>> take_office() override;
  Task<Result<>> commit(std::vector<MetadataChange> changes) override;
  Task<> wait_ousted() override;
  std::string holder() const override;
  const std::string* find(const std::string& key) const override { return shared_.table.find(key); }
  Task<> stop() override;

  // As if another had taken office; whoever waits may.
  void oust();

 private:
  bool in_office() const { return shared_.in_office == this; }

  Core& core_;
  MetadataShared& shared_;
  const std::string address_;
  bool stopping_ = false;
};

}   // namespace skerry::control
