// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "control/admin_office.hpp"
#include "rpc/methods.hpp"
#include "skerry/control/v1/admin.pb.h"

namespace skerry::control {

// skerry.control.v1.Admin: what operators see of a cluster and do with it. One core's, the coordinator's; outlives the methods.
class ClusterAdmin {
 public:
  explicit ClusterAdmin(AdminOffice office) : office_(std::move(office)) {}
  void register_in(rpc::Methods& methods);

 private:
  template <class Request>
  using Handler = Task<rpc::Status> (ClusterAdmin::*)(const Request& request);
  template <class Request, class Reply>
  void add(rpc::Methods& methods, std::string_view name, Handler<Request> handler);

  std::expected<v1::Cluster, rpc::Status> view() const;
  Task<rpc::Status> get(v1::Cluster& reply);
  Task<rpc::Status> watch(rpc::Replies<v1::Cluster>& replies);
  Task<rpc::Status> drain(const v1::DrainNodeRequest& request);
  Task<rpc::Status> undrain(const v1::UndrainNodeRequest& request);
  Task<rpc::Status> move(const v1::MoveReplicaRequest& request);
  Task<rpc::Status> transfer(const v1::TransferLeaderRequest& request);
  Task<rpc::Status> merge(const v1::MergeShardsRequest& request, v1::MergeShardsResponse& reply);
  Task<rpc::Status> cancel_reshape(const v1::CancelReshapeRequest& request);

  AdminOffice office_;
};

}   // namespace skerry::control
