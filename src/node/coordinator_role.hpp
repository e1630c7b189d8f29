// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "control/admin_service.hpp"
#include "control/cluster_admin.hpp"
#include "control/cluster_backup.hpp"
#include "control/config_file.hpp"
#include "control/coordinator.hpp"
#include "control/metadata_memory.hpp"
#include "control/metadata_raft.hpp"
#include "disk/machine_disk.hpp"
#include "net/file_stamp.hpp"
#include "net/tcp.hpp"
#include "net/tls_network.hpp"
#include "node/coordinator_metrics.hpp"
#include "node/security.hpp"
#include "rpc/health.hpp"
#include "rpc/json_api.hpp"
#include "rpc/reflection.hpp"
#include "rpc/server.hpp"
#include "runtime/app.hpp"
#include "runtime/applets.hpp"
#include "runtime/semaphore.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

// Where a coordinator keeps the cluster's status.
struct MetadataOptions {
  enum class Provider { memory, file, raft };
  Provider provider = Provider::file;
  std::string folder;   // of the file and the raft provider
  std::string cluster;   // of the raft provider: whose status it is
  std::optional<control::RaftMembers> members;   // the same
};

struct CoordinatorOptions {
  net::Address public_address;     // where admin tools call
  net::Address internal_address;   // health, and other coordinators
  std::optional<net::Address> admin_address;
  bool insecure = false;
  SecurityOptions security;
  MetadataOptions metadata;
  std::string config_file;         // the cluster's configuration, watched
  AppOptions app;                  // without its placement
};

// The coordinator of a process: its metadata, its configuration file, its ports. On the one core of its process.
class CoordinatorRole {
 public:
  CoordinatorRole(AppletContext& context, CoordinatorOptions options, App* app);
  ~CoordinatorRole();
  Task<Result<>> start();
  Task<> stop();

  control::Coordinator& coordinator() { return *coordinator_; }
  // Edits the configuration in force, then its file; returns when both are durable. One edit after the other; it goes on when its
  // caller goes away. Fails as the edit does, with invalid_argument when the result can't be followed, io_failed when a
  // coordinator that is alone can't write the file, unavailable out of office.
  Task<Result<>> change_config(control::ConfigEdit edit);

 private:
  struct Outcome;
  Task<> carry_out(control::ConfigEdit edit, std::shared_ptr<Outcome> outcome);
  Task<Result<>> edit_config(control::ConfigEdit edit);
  void offer_json();
  void recheck_callers();
  std::unique_ptr<control::Metadata> make_metadata();
  net::Network& network(const std::optional<net::TlsOptions>& tls, net::TlsNetwork& secure) {
    return tls ? static_cast<net::Network&>(secure) : plain_network_;
  }
  rpc::ServerOptions server_options(const char* port);
  Task<> watch_config();
  Task<> look_at_config();
  void refuse_config(const Error& why);
  Task<> follow_config();
  Task<> take_config(control::ClusterConfig config);
  Task<Result<>> write_config(control::ClusterConfig config);

  AppletContext& context_;
  App* const app_;
  Logger log_;
  const CoordinatorOptions options_;
  disk::MachineDisk disk_;
  Security& security_;
  net::TcpNetwork plain_network_;
  net::TlsNetwork public_network_, internal_network_, peer_network_;   // used where their TLS is on
  control::MetadataShared in_memory_;   // of the memory provider: gone with the process
  control::MetadataRaft* raft_ = nullptr;   // the metadata, where several coordinators agree
  std::unique_ptr<control::Metadata> metadata_;
  std::unique_ptr<control::Coordinator> coordinator_;
  CoordinatorMetrics metrics_;
  control::AdminService admin_;
  control::ClusterAdmin cluster_admin_;
  control::ClusterBackup cluster_backup_;
  rpc::Health health_;
  rpc::Reflection reflection_;
  rpc::Methods public_methods_, internal_methods_;
  std::unique_ptr<rpc::Server> public_server_, internal_server_;
  rpc::JsonApi* json_api_ = nullptr;   // the operators' port's
  control::ConfigFile config_file_;
  std::optional<net::FileStamp> config_seen_;
  std::int64_t epoch_ = 0;   // of the last term of office that the file has heard of
  Semaphore turn_;   // of one edit of the configuration
  TaskScope tasks_;
};

// `skerry coordinator`: runs until a signal ends it; returns the exit code.
int run_coordinator(CoordinatorOptions options, LogRegistry& log);

}   // namespace skerry::node
