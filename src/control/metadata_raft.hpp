// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/metadata.hpp"
#include "control/metadata_items.hpp"
#include "control/raft_core.hpp"
#include "control/raft_disk.hpp"
#include "control/raft_links.hpp"
#include "control/raft_members.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/log.hpp"
#include "runtime/semaphore.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/timers.hpp"

namespace skerry::control {

// Keeps the status on several coordinators, which elect one of themselves and store every change on a majority: the driver of a
// RaftCore over a RaftDisk and RaftLinks. Whoever leads is in office. A process that nobody asks to take office votes and stores,
// and doesn't lead. Opens its folder with the first take_office(); register_in() before the server of the internal port starts,
// stop() after that.
class MetadataRaft final : public Metadata, private RaftListener, private RaftDiskListener, private TurnHook {
 public:
  struct Options {
    std::string folder;
    std::string cluster;   // whose status it is; coordinators of another are refused
    RaftMembers members;   // by their internal addresses
    std::string address;   // of this coordinator, as holder() tells it, here and at the others
    RaftTiming timing = {};
    std::uint64_t log_segment_bytes = 16 << 20;
    std::size_t snapshot_after_bytes = 4 << 20;   // of entries, or as many as the status takes if that is more
  };
  MetadataRaft(Core& core, disk::Disk& disk, net::Network& network, Options options, Logger logger);   // both must outlive this
  ~MetadataRaft() override;

  void register_in(rpc::Methods& methods) { links_.register_in(methods); }

  // Fails with what RaftDisk::open() says; with io_failed when the disk is full or has failed; with closed when stopped
  // meanwhile.
  Task<Result<Office>> take_office() override;
  Task<Result<>> commit(std::vector<MetadataChange> changes) override;
  Task<> wait_ousted() override;
  std::string holder() const override;
  const std::string* find(const std::string& key) const override { return table_.find(key); }
  // Leaves office so that another can take it at once.
  Task<> stop() override;

 private:
  // From taking office to leaving it; shared with those that wait for their commits.
  struct Tenure {
    Term term;
    Offset committed = no_offset;
    std::optional<Error> ended = std::nullopt;
  };
  // The core's next tick.
  class Tick final : public Timer {
   public:
    explicit Tick(MetadataRaft& owner) : owner_(owner) {}

   private:
    void on_due() override { owner_.tick(); }
    MetadataRaft& owner_;
  };
  // Stands as long as somebody waits for the office.
  class Candidacy;

  Task<Result<>> open();
  Task<Result<Office>> wait_for_office();
  bool in_office() const { return tenure_ && !tenure_->ended; }
  void leave_office(Error reason);
  Result<> usable() const;

  void tick();
  void carry_out(const RaftEffects& effects, const std::shared_ptr<const Bytes>& state = nullptr);
  void apply(Offset up_to);
  Result<> apply(const RaftEntry& entry);
  void snapshot_if_due();
  Offset first_to_keep() const;
  void give_up_for_good(const Error& why);

  void on_turn_end() override;   // what the leader has for its followers
  Result<> on_message(RaftMember from, const RaftMessage& message) override;
  void on_connected(RaftMember to) override;
  void on_refused(RaftMember by, const std::string& why) override;
  void on_durable(const RaftPosition& position) override;
  void on_snapshot_durable(Offset first_kept) override;
  void on_full(const Error& why) override;
  void on_space() override;
  void on_failed(const Error& why) override;

  Core& core_;
  disk::Disk& files_;
  const Options options_;
  Logger log_;
  RaftLinks links_;
  std::unique_ptr<RaftDisk> disk_;
  std::unique_ptr<RaftCore> raft_;
  MetadataTable table_;   // after what is committed
  Offset applied_ = no_offset;
  std::shared_ptr<Tenure> tenure_;   // the last one
  std::size_t bytes_in_flight_ = 0;   // proposed, and not answered
  Semaphore room_;   // for more of them
  int candidacies_ = 0;
  std::optional<Error> full_, failed_;
  bool stopping_ = false;
  Tick tick_{*this};
  Signal changed_;
  TaskScope tasks_;
};

}   // namespace skerry::control
