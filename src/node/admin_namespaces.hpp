// SPDX-License-Identifier: Apache-2.0
#pragma once
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
};

// Makes, changes and deletes namespaces while the process serves. All of it happens on the first core, one change after the other;
// ask through Sharded::invoke_on(CoreId{0}, …). A change goes on when its caller goes away.
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

 private:
  struct Outcome;
  Task<Result<>> apart(Task<Result<>> change);
  Task<> carry_out(Task<Result<>> change, std::shared_ptr<Outcome> outcome);

  Task<Result<>> make(NewNamespace wish);
  Task<Result<>> open_shards(std::string name);
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
  TaskScope tasks_;
};

}   // namespace skerry::node
