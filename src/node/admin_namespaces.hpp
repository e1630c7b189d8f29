// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>

#include "disk/machine_disk.hpp"
#include "node/data_folder.hpp"
#include "node/storage.hpp"
#include "runtime/applets.hpp"
#include "runtime/semaphore.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

// What clients are told of the shards that exist. Node K lives on core K modulo `cores`.
std::shared_ptr<const serve::Assignments> assignments_of(const ClusterStatus& status, std::size_t cores);

struct NewNamespace {
  std::string name;
  std::uint32_t shards = 1;
  store::KeyOrder order = store::KeyOrder::hierarchical;
  bool notifications = true;
  std::vector<control::HashRange> hashes{};   // of its shards, in order; empty: of equal width
};

class NamespaceAdmin;

// A namespace that is being restored. Whoever holds it takes it to its end, or lets go of it: then nothing is left of it. Of the
// first core; hold it there, or by a ForeignPtr.
class NamespaceRestore {
 public:
  NamespaceRestore(std::shared_ptr<NamespaceAdmin*> admin, std::string name) : name_(std::move(name)), admin_(std::move(admin)) {}
  NamespaceRestore(const NamespaceRestore&) = delete;
  NamespaceRestore& operator=(const NamespaceRestore&) = delete;
  ~NamespaceRestore();

 private:
  friend class NamespaceAdmin;
  const std::string name_;
  const std::shared_ptr<NamespaceAdmin*> admin_;   // null once it has stopped
  bool planned_ = false;   // there is something to let go of
};

// Makes, changes and deletes namespaces while the process serves. All of it happens on the first core, one change after the
// other; ask through Sharded::invoke_on(CoreId{0}, …). A change goes on when its caller goes away.
//
// What is said to exist is durable before it exists: a namespace stands in the status document before its shards are opened, and
// its shards are entered there as to be deleted, the namespace gone, before anything of theirs is. So a crash in between leaves a
// namespace that the next start completes, or shards that it goes on deleting.
//
// Starts after Storage, stops after the public server has and before Storage does.
class NamespaceAdmin {
 public:
  NamespaceAdmin(AppletContext& context, DataFolder* folder);
  Task<Result<>> start();   // deletes what an earlier process did not get to
  Task<> stop();

  ClusterStatus status() const;
  // Fails with already_exists, invalid_argument (a name or number that is refused, and why), resource_exhausted, io_failed.
  Task<Result<>> create(NewNamespace wish);
  // Those who follow a namespace's changes when they are switched off are ended. Fails with not_found.
  Task<Result<>> set_notifications(std::string name, bool enabled);
  // When it returns the namespace is gone for its users. Its records are, too, or will be once the last request has let go of
  // them. Fails with not_found, and with invalid_argument for "default".
  Task<Result<>> remove(std::string name);

  // A namespace whose shards get their state from elsewhere. Until it is finished it does not exist for anybody, and its shards
  // are among those to be deleted, so that a crash leaves nothing of it. Fails as create() does.
  using RestorePlace = std::shared_ptr<ForeignPtr<NamespaceRestore>>;
  struct Restore {
    RestorePlace place;
    NamespaceStatus space;   // as it will be
  };
  Task<Result<Restore>> begin_restore(NewNamespace wish);
  // Whether it could begin now; refused as that would be.
  Result<> check_restore(const NewNamespace& wish) const { return check_new(wish); }
  // Requires: every shard of it has its state.
  Task<Result<>> finish_restore(std::string name);

 private:
  friend class NamespaceRestore;
  struct Outcome;
  Task<Result<>> apart(Task<Result<>> change);
  Task<> carry_out(Task<Result<>> change, std::shared_ptr<Outcome> outcome);

  Task<Result<>> make(NewNamespace wish);
  Task<Result<>> open_made(std::string name);
  Task<Result<>> open_shards(std::string name);
  Task<Result<>> plan_restore(NewNamespace wish, RestorePlace place);
  Task<Result<>> commit_restore(std::string name);
  void let_go(const std::string& name);
  Task<> end_restore(NamespaceStatus space);
  Task<> drop_restore(NamespaceStatus space);
  Result<> check_new(const NewNamespace& wish) const;
  bool is_restoring(ShardId shard) const;
  Task<Result<>> switch_notifications(std::string name, bool enabled);
  Task<Result<>> unmake(std::string name);
  Task<> retire_shards();
  Task<Result<>> delete_shards();
  Task<> delete_in_background();
  void tell(const Result<>& deleted) const;
  Task<> publish();
  CoreId core_of(std::uint32_t node) const { return Storage::core_of(node, context_.cores().size()); }

  AppletContext& context_;
  Logger log_;
  DataFolder* folder_;   // the first core's
  disk::MachineDisk disk_;
  Semaphore turn_;   // of one change
  std::map<std::string, NamespaceStatus> restoring_;
  const std::shared_ptr<NamespaceAdmin*> self_ = std::make_shared<NamespaceAdmin*>(this);
  TaskScope tasks_;
};

}   // namespace skerry::node
