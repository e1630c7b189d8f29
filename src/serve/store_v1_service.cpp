// SPDX-License-Identifier: Apache-2.0
#include "serve/store_v1_service.hpp"

#include "serve/store_v1_calls.hpp"
#include "serve/store_v1_error.hpp"
#include "serve/write_stream.hpp"

namespace skerry::serve {
namespace {

std::string store_v1_method(std::string_view name) { return "/skerry.store.v1.Store/" + std::string(name); }

// What ShardRouter needs to know of this protocol.
struct StoreV1Calls {
  static rpc::Status status(const Error& error) { return store_v1_status(error); }
  template <class Request, class Reply>
  static Task<Result<>> answer(replica::Shard& shard, const Request& request, Reply& reply, WriteStages* stages) {
    if constexpr (std::same_as<Request, v1::WriteRequest>) return serve::answer(shard, request, reply, stages);
    return serve::answer(shard, request, reply);
  }
  template <class Request>
  static auto chunks(Core& core, replica::Shard& shard, Request request) {
    return chunks_v1(core, shard, std::move(request));
  }
};

}  // namespace

StoreV1Service::StoreV1Service(Core& core, const Sharded<ShardHost>& hosts, const ShardDirectory& directory, AuthorityCheck check)
    : core_(core), router_(core, hosts, directory, check) {}

void StoreV1Service::register_in(rpc::Methods& methods) {
  using rpc::Replies;
  using rpc::ServerCall;
  const auto add_unary = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.unary<Request, Reply>(store_v1_method(name), [this](ServerCall& call, const Request& request, Reply& reply) {
      return router_.unary<StoreV1Calls>(call, request, reply);
    });
  };
  const auto add_stream = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.server_stream<Request, Reply>(store_v1_method(name),
                                          [this](ServerCall& call, const Request& request, Replies<Reply>& to) {
                                            return router_.stream<StoreV1Calls>(call, request, to);
                                          });
  };
  const auto of = []<class Message>() { return static_cast<Message*>(nullptr); };
  add_unary("Write", of.operator()<v1::WriteRequest>(), of.operator()<v1::WriteResponse>());
  add_unary("Batch", of.operator()<v1::BatchRequest>(), of.operator()<v1::BatchResponse>());
  add_stream("Read", of.operator()<proto::ReadRequest>(), of.operator()<v1::ReadResponse>());
  add_stream("List", of.operator()<v1::ListRequest>(), of.operator()<v1::ListResponse>());
  add_stream("RangeScan", of.operator()<v1::RangeScanRequest>(), of.operator()<v1::RangeScanResponse>());
  add_stream("GetNotifications", of.operator()<v1::NotificationsRequest>(), of.operator()<v1::NotificationBatch>());
  methods.bidirectional<v1::WriteRequest, v1::WriteResponse>(
      store_v1_method("WriteStream"),
      [this](ServerCall& call, rpc::Requests<v1::WriteRequest>& requests, Replies<v1::WriteResponse>& replies) {
        return write_stream(call, requests, replies);
      });
}

Task<rpc::Status> StoreV1Service::write_stream(rpc::ServerCall& call, rpc::Requests<v1::WriteRequest>& requests,
                                               rpc::Replies<v1::WriteResponse>& replies) {
  const auto place = router_.route_stream(call);
  if (!place) co_return place.error();
  co_return co_await WriteStream<StoreV1Writes>::serve(core_, router_.hosts(), place->core, place->shard, call, requests,
                                                       replies);
}

}  // namespace skerry::serve
