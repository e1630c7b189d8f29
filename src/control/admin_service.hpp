// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "control/admin_office.hpp"
#include "oxia/admin.pb.h"
#include "rpc/methods.hpp"

namespace skerry::control {

// Oxia's admin service over a coordinator: namespaces and servers are the configuration's, their states the status's. One core's,
// the coordinator's; outlives the methods.
class AdminService {
 public:
  explicit AdminService(AdminOffice office) : office_(std::move(office)) {}
  void register_in(rpc::Methods& methods);

 private:
  void register_namespaces(rpc::Methods& methods);
  void register_servers(rpc::Methods& methods);
  std::expected<const ClusterConfig*, rpc::Status> config() const;

  Task<rpc::Status> list_namespaces(io::oxia::proto::v1::ListNamespacesResponse& reply);
  Task<rpc::Status> get_namespace(const std::string& name, io::oxia::proto::v1::NamespaceView& reply);
  Task<rpc::Status> create_namespace(const io::oxia::proto::v1::Namespace& wish, io::oxia::proto::v1::NamespaceView& reply);
  Task<rpc::Status> patch_namespace(const io::oxia::proto::v1::Namespace& wish, io::oxia::proto::v1::NamespaceView& reply);
  Task<rpc::Status> delete_namespace(const std::string& name);

  Task<rpc::Status> split_shard(const io::oxia::proto::v1::SplitShardRequest& request,
                                io::oxia::proto::v1::SplitShardResponse& reply);
  Task<rpc::Status> list_servers(io::oxia::proto::v1::ListDataServersResponse& reply);
  Task<rpc::Status> get_server(const std::string& name, io::oxia::proto::v1::DataServerView& reply);
  Task<rpc::Status> create_server(const io::oxia::proto::v1::DataServer& wish, io::oxia::proto::v1::DataServerView& reply);
  Task<rpc::Status> patch_server(const io::oxia::proto::v1::DataServer& wish, io::oxia::proto::v1::DataServerView& reply);
  Task<rpc::Status> delete_server(const std::string& name);

  AdminOffice office_;
};

}   // namespace skerry::control
