// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "oxia/admin.pb.h"
#include "rpc/methods.hpp"
#include "runtime/sharded.hpp"

namespace skerry::node {

class NamespaceAdmin;

// Oxia's admin service of a standalone, on one core: every call goes to the first one. It has namespaces; servers and splits are
// for clusters, and refused. Lives on its core as long as the rpc server.
class AdminService {
 public:
  explicit AdminService(const Sharded<NamespaceAdmin>& namespaces) : namespaces_(namespaces) {}
  void register_in(rpc::Methods& methods);

 private:
  Task<rpc::Status> list(io::oxia::proto::v1::ListNamespacesResponse& reply);
  Task<rpc::Status> get(const std::string& name, io::oxia::proto::v1::NamespaceView& reply);
  Task<rpc::Status> create(const io::oxia::proto::v1::Namespace& wish, io::oxia::proto::v1::NamespaceView& reply);
  Task<rpc::Status> patch(const io::oxia::proto::v1::Namespace& wish, io::oxia::proto::v1::NamespaceView& reply);
  Task<rpc::Status> remove(const std::string& name);

  const Sharded<NamespaceAdmin>& namespaces_;
};

}   // namespace skerry::node
