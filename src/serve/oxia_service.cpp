// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "serve/oxia_error.hpp"
#include "serve/write_stream.hpp"

namespace skerry::serve {
namespace {

constexpr std::string_view service_name = "io.oxia.proto.v1.OxiaClient";
constexpr std::string_view older_service_name = "io.streamnative.oxia.proto.OxiaClient";   // published clients still use it
constexpr std::string_view default_namespace = "default";

std::string method(std::string_view name) { return fmt::format("/{}/{}", service_name, name); }

rpc::Status status_of(const Result<>& result) { return result ? rpc::Status() : oxia_status(result.error()); }

// Nothing where the request may, but does not, name its shard.
template <class Request>
std::optional<ShardId> shard_of(const Request& request) {
  if constexpr (requires { request.has_shard(); }) {
    if (!request.has_shard()) return std::nullopt;
  }
  return ShardId(request.shard());
}

// --- run on the shard's core

template <class Reply>
struct Answered {
  Result<> result;
  Reply reply;
};
template <class Request, class Reply>
Task<Answered<Reply>> answer_there(ShardHost& host, ShardId id, Request request) {
  Answered<Reply> answered;
  auto shard = open_shard(host, id);
  if (shard) {
    answered.result = co_await answer(**shard, request, answered.reply);
  } else {
    answered.result = fail(std::move(shard).error());
  }
  co_return answered;
}

// Whoever lets go of it last, it is freed on the shard's core.
template <class Reply>
using RemoteChunks = std::shared_ptr<ForeignPtr<Chunks<Reply>>>;
template <class Request, class Reply>
Result<RemoteChunks<Reply>> open_there(ShardHost& host, Core* core, ShardId id, Request request) {
  TRY(replica::Shard * shard, open_shard(host, id));
  TRY(auto opened, chunks(*core, *shard, std::move(request)));
  return std::make_shared<ForeignPtr<Chunks<Reply>>>(*core, std::move(opened));
}
template <class Reply>
struct Pulled {
  Result<bool> more;
  Reply reply;
};
template <class Reply>
Task<Pulled<Reply>> pull_there(RemoteChunks<Reply> chunks) {
  Pulled<Reply> pulled;
  pulled.more = co_await (*chunks)->next(pulled.reply);
  co_return pulled;
}

// --- run on the connection's core

template <class Reply>
Task<rpc::Status> send_local(std::unique_ptr<Chunks<Reply>> chunks, rpc::Replies<Reply>& replies) {
  Reply reply;
  for (;;) {
    const auto more = co_await chunks->next(reply);
    if (!more) co_return oxia_status(more.error());
    if (!*more) co_return rpc::Status();
    if (auto written = co_await replies.write(reply); !written) co_return rpc::Status::from(written.error());
  }
}

template <class Reply>
Task<rpc::Status> send_remote(Cores& cores, RemoteChunks<Reply> chunks, rpc::Replies<Reply>& replies) {
  for (;;) {
    auto pulled = co_await cores.call(chunks->home(), pull_there<Reply>, chunks);
    if (!pulled.more) co_return oxia_status(pulled.more.error());
    if (!*pulled.more) co_return rpc::Status();
    if (auto written = co_await replies.write(pulled.reply); !written) co_return rpc::Status::from(written.error());
  }
}

proto::NamespaceShardsAssignment shards_message(const std::vector<ShardPlace>& places, std::string_view authority) {
  proto::NamespaceShardsAssignment message;
  message.set_shard_key_router(proto::XXHASH3);
  for (const ShardPlace& place : places) {
    auto& shard = *message.add_assignments();
    shard.set_shard(place.shard.value());
    shard.set_leader(place.leader ? *place.leader : std::string(authority));
    shard.mutable_int32_hash_range()->set_min_hash_inclusive(place.hash_min);
    shard.mutable_int32_hash_range()->set_max_hash_inclusive(place.hash_max);
  }
  return message;
}

}  // namespace

OxiaService::OxiaService(Core& core, const Sharded<ShardHost>& hosts, const ShardDirectory& directory, OxiaServiceOptions options)
    : core_(core), hosts_(hosts), directory_(directory), options_(options) {}

void OxiaService::register_in(rpc::Methods& methods) {
  using rpc::Replies;
  using rpc::ServerCall;
  const auto add_unary = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.unary<Request, Reply>(
        method(name), [this](ServerCall& call, const Request& request, Reply& reply) { return unary(call, request, reply); });
  };
  const auto add_stream = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.server_stream<Request, Reply>(
        method(name), [this](ServerCall& call, const Request& request, Replies<Reply>& to) { return stream(call, request, to); });
  };
  const auto of = []<class Message>() { return static_cast<Message*>(nullptr); };
  add_unary("Write", of.operator()<proto::WriteRequest>(), of.operator()<proto::WriteResponse>());
  add_unary("CreateSession", of.operator()<proto::CreateSessionRequest>(), of.operator()<proto::CreateSessionResponse>());
  add_unary("KeepAlive", of.operator()<proto::SessionHeartbeat>(), of.operator()<proto::KeepAliveResponse>());
  add_unary("CloseSession", of.operator()<proto::CloseSessionRequest>(), of.operator()<proto::CloseSessionResponse>());
  add_stream("Read", of.operator()<proto::ReadRequest>(), of.operator()<proto::ReadResponse>());
  add_stream("List", of.operator()<proto::ListRequest>(), of.operator()<proto::ListResponse>());
  add_stream("RangeScan", of.operator()<proto::RangeScanRequest>(), of.operator()<proto::RangeScanResponse>());
  add_stream("GetSequenceUpdates", of.operator()<proto::GetSequenceUpdatesRequest>(),
             of.operator()<proto::GetSequenceUpdatesResponse>());
  add_stream("GetNotifications", of.operator()<proto::NotificationsRequest>(), of.operator()<proto::NotificationBatch>());
  methods.server_stream<proto::ShardAssignmentsRequest, proto::ShardAssignments>(
      method("GetShardAssignments"),
      [this](ServerCall& call, const proto::ShardAssignmentsRequest& request, Replies<proto::ShardAssignments>& replies) {
        return assignments(call, request, replies);
      });
  methods.bidirectional<proto::WriteRequest, proto::WriteResponse>(
      method("WriteStream"), [this](ServerCall& call, rpc::Requests<proto::WriteRequest>& requests,
                                    Replies<proto::WriteResponse>& replies) { return write_stream(call, requests, replies); });
  methods.alias(older_service_name, service_name);
}

std::optional<rpc::Status> OxiaService::refuse_authority(std::string_view authority) const {
  if (options_.authority_check == AuthorityCheck::off) return std::nullopt;
  const auto parsed = net::Address::parse(authority);
  if (!parsed || parsed->host.empty() || parsed->port == 0) {
    return rpc::Status{rpc::Code::invalid_argument, fmt::format("the authority {} is not host:port", printable(authority)), {}};
  }
  const auto& known = directory_.assignments();
  if (!known) return oxia_status(OxiaError::not_initialized);
  if (std::ranges::find(known->allowed_authorities, authority) != known->allowed_authorities.end()) return std::nullopt;
  return rpc::Status{
      rpc::Code::permission_denied,
      fmt::format("the authority {} is no address of this cluster; add it to allowExtraAuthorities if it should be",
                  printable(authority)),
      {}};
}

std::expected<CoreId, rpc::Status> OxiaService::route(ShardId shard) const {
  if (!directory_.assignments()) return std::unexpected(oxia_status(OxiaError::not_initialized));
  const ShardPlace* place = directory_.find(shard);
  if (place == nullptr) return std::unexpected(oxia_status(OxiaError::shard_not_found));
  if (place->core) return *place->core;
  return std::unexpected(leader_hint(shard, place->leader.value_or("")));
}

template <class Request, class Reply>
Task<rpc::Status> OxiaService::unary(rpc::ServerCall& call, const Request& request, Reply& reply) {
  if (auto refused = refuse_authority(call.authority())) co_return *std::move(refused);
  const auto shard = shard_of(request);
  if (!shard) co_return rpc::Status{rpc::Code::invalid_argument, "the request names no shard", {}};
  const auto owner = route(*shard);
  if (!owner) co_return owner.error();
  if (*owner == core_.id()) {
    const auto open = open_shard(hosts_.local(*owner), *shard);
    if (!open) co_return oxia_status(open.error());
    co_return status_of(co_await answer(**open, request, reply));
  }
  auto answered = co_await hosts_.invoke_on(*owner, answer_there<Request, Reply>, *shard, request);
  reply = std::move(answered.reply);
  co_return status_of(answered.result);
}

template <class Request, class Reply>
Task<rpc::Status> OxiaService::stream(rpc::ServerCall& call, const Request& request, rpc::Replies<Reply>& replies) {
  if (auto refused = refuse_authority(call.authority())) co_return *std::move(refused);
  const auto shard = shard_of(request);
  if (!shard) co_return rpc::Status{rpc::Code::invalid_argument, "the request names no shard", {}};
  const auto owner = route(*shard);
  if (!owner) co_return owner.error();
  if (*owner == core_.id()) {
    const auto open = open_shard(hosts_.local(*owner), *shard);
    if (!open) co_return oxia_status(open.error());
    auto opened = chunks(core_, **open, request);
    if (!opened) co_return oxia_status(opened.error());
    co_return co_await send_local<Reply>(*std::move(opened), replies);
  }
  Cores& cores = hosts_.cores();
  auto opened = co_await hosts_.invoke_on(*owner, open_there<Request, Reply>, &cores.core(*owner), *shard, request);
  if (!opened) co_return oxia_status(opened.error());
  co_return co_await send_remote<Reply>(cores, *std::move(opened), replies);
}

Task<rpc::Status> OxiaService::write_stream(rpc::ServerCall& call, rpc::Requests<proto::WriteRequest>& requests,
                                            rpc::Replies<proto::WriteResponse>& replies) {
  if (auto refused = refuse_authority(call.authority())) co_return *std::move(refused);
  if (!call.metadata().find("namespace")) {
    co_return rpc::Status{rpc::Code::unknown, "a write stream needs the header 'namespace'", {}};
  }
  const auto shard = parse_shard_header(call.metadata().find("shard-id"));
  if (!shard) co_return rpc::Status{rpc::Code::unknown, shard.error().text, {}};
  const auto owner = route(*shard);
  if (!owner) co_return owner.error();
  co_return co_await WriteStream::serve(core_, hosts_, *owner, *shard, requests, replies);
}

Task<rpc::Status> OxiaService::assignments(rpc::ServerCall& call, const proto::ShardAssignmentsRequest& request,
                                           rpc::Replies<proto::ShardAssignments>& replies) {
  if (auto refused = refuse_authority(call.authority())) co_return *std::move(refused);
  const std::string name(request.namespace_().empty() ? default_namespace : std::string_view(request.namespace_()));
  for (;;) {
    const auto known = directory_.assignments();
    if (!known) co_return oxia_status(OxiaError::not_initialized);
    const auto found = known->namespaces.find(name);
    if (found == known->namespaces.end()) co_return oxia_status(OxiaError::namespace_not_found);
    proto::ShardAssignments message;
    (*message.mutable_namespaces())[name] = shards_message(found->second, call.authority());
    for (const auto& allowed : known->allowed_authorities) message.add_allowed_authorities(allowed);
    if (auto written = co_await replies.write(message); !written) co_return rpc::Status::from(written.error());
    co_await directory_.wait_changed(known);
  }
}

}  // namespace skerry::serve
