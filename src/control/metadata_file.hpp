// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "control/metadata.hpp"
#include "control/metadata_folder.hpp"
#include "control/metadata_items.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::control {

// Keeps the status in one file of a folder: for a coordinator alone, or for several on a file system that they share and whose
// locks hold. Who holds the folder's lock is in office.
//   cluster-status         a line with format, size and checksum, then epoch and items; replaced whole
//   cluster-status.holder  the address of who took office last
// Changes that come while the file is being written go together into the next one. A file that is cut, changed, empty, gone or of
// a newer format is refused: none of it means that there is no cluster yet.
class MetadataFile final : public Metadata {
 public:
  struct Options {
    std::string folder;
    std::string address;   // of this coordinator, as holder() tells it
  };
  MetadataFile(Core& core, disk::Disk& disk, Options options);   // both must outlive this

  // Besides io_failed: fails with what MetadataFolder::open() and the file's state say, and with closed when stopped meanwhile.
  Task<Result<Office>> take_office() override;
  Task<Result<>> commit(std::vector<MetadataChange> changes) override;
  Task<> wait_ousted() override;
  std::string holder() const override;
  const std::string* find(const std::string& key) const override { return in_office() ? term_->wanted.find(key) : nullptr; }
  // Writes what was given, then leaves office.
  Task<> stop() override;

 private:
  // From taking office to leaving it; shared with those that wait for its writes.
  struct Term {
    std::unique_ptr<MetadataFolder> folder;   // and its lock
    std::int64_t epoch = 0;
    MetadataTable wanted = {};
    std::uint64_t changes = 0, written = 0;   // commits in `wanted`; in the file
    std::optional<Error> ended = std::nullopt;
  };

  Task<Result<std::unique_ptr<MetadataFolder>>> wait_for_folder();
  Result<> load(Term& term) const;
  Task<Result<>> save(const Term& term);
  Task<> write_gathered(std::shared_ptr<Term> term);
  void end(Term& term, Error reason);
  bool in_office() const { return term_ && !term_->ended; }

  Core& core_;
  disk::Disk& disk_;
  const Options options_;
  std::shared_ptr<Term> term_;   // the last one
  std::string seen_holder_;
  bool stopping_ = false;
  Signal changed_;
  TaskScope tasks_;
};

}   // namespace skerry::control
