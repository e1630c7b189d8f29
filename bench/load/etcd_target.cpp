// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "load/etcd.pb.h"
#include "load/target.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"

namespace skerry::bench {
namespace {

constexpr auto etcd_timeout = 30s;

Result<> etcd_result(const rpc::Status& status) {
  if (status.ok()) return {};
  return fail(Errc::unavailable, "etcd answered: " + status.message);
}

// etcd has no batches of independent operations: only single operations are measured.
class EtcdTarget final : public Target {
 public:
  EtcdTarget(Core& core, net::Network& network, TargetOptions options) : core_(core) {
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      channels_.push_back(rpc::Channel::make(core, network, options.addresses[0], {}));
    }
  }

  Task<Result<>> connect() override { co_return Result<>{}; }

  Task<Result<>> execute(std::span<const Operation> operations) override {
    if (operations.size() != 1) co_return fail(Errc::unsupported, "etcd takes one operation a request");
    rpc::Channel& channel = *channels_[next_++ % channels_.size()];
    if (operations[0].kind == Operation::Kind::put) co_return co_await put(channel, operations[0]);
    co_return co_await get(channel, operations[0]);
  }

  Task<Result<std::uint64_t>> read_range(RangeRead range) override {
    etcdserverpb::RangeRequest request;
    request.set_key(range.first.data(), range.first.size());
    request.set_range_end(range.end.data(), range.end.size());
    request.set_keys_only(range.what == RangeRead::What::keys);
    etcdserverpb::RangeResponse reply;
    rpc::Channel& channel = *channels_[next_++ % channels_.size()];
    CO_TRYV(etcd_result(co_await channel.unary("/etcdserverpb.KV/Range", request, reply,
                                               {.deadline = core_.now() + etcd_timeout, .metadata = {}})));
    co_return static_cast<std::uint64_t>(reply.kvs_size());
  }

  Task<> stop() override {
    for (auto& channel : channels_) co_await channel->stop();
  }

 private:
  Task<Result<>> put(rpc::Channel& channel, Operation operation) {
    etcdserverpb::PutRequest request;
    request.set_key(operation.key.data(), operation.key.size());
    request.set_value(operation.value.data(), operation.value.size());
    etcdserverpb::PutResponse reply;
    co_return etcd_result(
        co_await channel.unary("/etcdserverpb.KV/Put", request, reply, {.deadline = core_.now() + etcd_timeout, .metadata = {}}));
  }

  Task<Result<>> get(rpc::Channel& channel, Operation operation) {
    etcdserverpb::RangeRequest request;
    request.set_key(operation.key.data(), operation.key.size());
    etcdserverpb::RangeResponse reply;
    CO_TRYV(etcd_result(co_await channel.unary("/etcdserverpb.KV/Range", request, reply,
                                               {.deadline = core_.now() + etcd_timeout, .metadata = {}})));
    if (reply.kvs_size() != 1) co_return fail(Errc::not_found, "etcd has no such key");
    co_return Result<>{};
  }

  Core& core_;
  std::vector<std::unique_ptr<rpc::Channel>> channels_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Target> make_etcd_target(Core& core, net::Network& network, TargetOptions options) {
  return std::make_unique<EtcdTarget>(core, network, std::move(options));
}

}  // namespace skerry::bench
