// SPDX-License-Identifier: Apache-2.0
#include "serve/oxia_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "serve/access.hpp"
#include "serve/chunk_parts.hpp"
#include "serve/heir_walk.hpp"
#include "serve/heirs.hpp"
#include "serve/oxia_error.hpp"
#include "serve/write_stream.hpp"
#include "store/expected_keys.hpp"

namespace skerry::serve {
namespace {

constexpr std::string_view service_name = "io.oxia.proto.v1.OxiaClient";
constexpr std::string_view older_service_name = "io.streamnative.oxia.proto.OxiaClient";   // published clients still use it
constexpr std::size_t gets_at_once_max = 512;   // more would be felt by the others on this core
constexpr std::string_view default_namespace = "default";

std::string oxia_method(std::string_view name) { return fmt::format("/{}/{}", service_name, name); }

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

// The next of them, which are looked up one after the other.
void expect(replica::Shard& shard, std::span<const store::Get> gets) {
  if (gets.size() < 2) return;
  std::array<BytesView, store::expected_keys_max> keys;
  gets = gets.first(std::min(gets.size(), keys.size()));
  std::ranges::transform(gets, keys.begin(), &store::Get::key);
  shard.expect(std::span(keys).first(gets.size()));
}

// A message of a walk that takes records until it is full.
template <class Reply>
class ReplyPage {
 public:
  bool takes(proto::GetResponse& record) {
    constexpr bool only_keys = std::same_as<Reply, proto::ListResponse>;
    if (!budget_.takes(only_keys ? record.key().size() : record.ByteSizeLong()) || count_ == limits::scan_records_max)
      return false;
    if constexpr (only_keys) reply_.add_keys(std::move(*record.mutable_key()));
    else *reply_.add_records() = std::move(record);
    ++count_;
    return true;
  }
  const Reply& reply() const { return reply_; }
  bool empty() const { return count_ == 0; }
  void clear() { *this = {}; }

 private:
  Reply reply_;
  Budget budget_;
  std::size_t count_ = 0;
};

// What ShardRouter needs to know of this protocol.
struct OxiaCalls {
  static rpc::Status status(const Error& error) { return oxia_status(error); }
  template <class Request, class Reply>
  static Task<Result<>> answer(replica::Shard& shard, const Request& request, Reply& reply, WriteStages* stages) {
    if constexpr (std::same_as<Request, proto::WriteRequest>) return serve::answer(shard, request, reply, stages);
    return serve::answer(shard, request, reply);
  }
  template <class Request>
  static auto chunks(Core& core, replica::Shard& shard, Request request) {
    return serve::chunks(core, shard, std::move(request));
  }
};

}  // namespace

OxiaService::OxiaService(Core& core, const Sharded<ShardHost>& hosts, const ShardDirectory& directory, OxiaServiceOptions options)
    : core_(core), directory_(directory), router_(core, hosts, directory, options.authority_check) {}

void OxiaService::register_in(rpc::Methods& methods) {
  using rpc::Replies;
  using rpc::ServerCall;
  const auto add_unary_of_session = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.unary<Request, Reply>(oxia_method(name), [this](ServerCall& call, const Request& request, Reply& reply) {
      return router_.unary_of_session<OxiaCalls>(call, request, reply);
    });
  };
  const auto add_stream = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.server_stream<Request, Reply>(oxia_method(name),
                                          [this](ServerCall& call, const Request& request, Replies<Reply>& to) {
                                            return router_.stream<OxiaCalls>(call, request, to);
                                          });
  };
  const auto of = []<class Message>() { return static_cast<Message*>(nullptr); };
  methods.unary<proto::WriteRequest, proto::WriteResponse>(
      oxia_method("Write"), [this](ServerCall& call, const proto::WriteRequest& request, proto::WriteResponse& reply) {
        return write(call, request, reply);
      });
  methods.unary<proto::CreateSessionRequest, proto::CreateSessionResponse>(
      oxia_method("CreateSession"),
      [this](ServerCall& call, const proto::CreateSessionRequest& request, proto::CreateSessionResponse& reply) {
        Heirs heirs = directory_.heirs_of(ShardId(request.shard()));
        return heirs.empty() ? router_.unary<OxiaCalls>(call, request, reply)
                             : create_session_on(std::move(heirs), call, request, reply);
      });
  add_unary_of_session("KeepAlive", of.operator()<proto::SessionHeartbeat>(), of.operator()<proto::KeepAliveResponse>());
  add_unary_of_session("CloseSession", of.operator()<proto::CloseSessionRequest>(), of.operator()<proto::CloseSessionResponse>());
  methods.server_stream<proto::ReadRequest, proto::ReadResponse>(
      oxia_method("Read"),
      [this](ServerCall& call, const proto::ReadRequest& request, Replies<proto::ReadResponse>& to) {
        Heirs heirs = directory_.heirs_of(ShardId(request.shard()));
        return heirs.empty() ? router_.stream<OxiaCalls>(call, request, to) : read_from(std::move(heirs), call, request, to);
      },
      [this](ServerCall& call, BytesView request, rpc::MessageSink& to) { return read_at_once(call, request, to); });
  const auto add_walk = [&]<class Request, class Reply>(std::string_view name, Request*, Reply*) {
    methods.server_stream<Request, Reply>(oxia_method(name), [this](ServerCall& call, const Request& request,
                                                                    Replies<Reply>& to) { return walk(call, request, to); });
  };
  add_walk("List", of.operator()<proto::ListRequest>(), of.operator()<proto::ListResponse>());
  add_walk("RangeScan", of.operator()<proto::RangeScanRequest>(), of.operator()<proto::RangeScanResponse>());
  add_stream("GetSequenceUpdates", of.operator()<proto::GetSequenceUpdatesRequest>(),
             of.operator()<proto::GetSequenceUpdatesResponse>());
  add_stream("GetNotifications", of.operator()<proto::NotificationsRequest>(), of.operator()<proto::NotificationBatch>());
  methods.server_stream<proto::ShardAssignmentsRequest, proto::ShardAssignments>(
      oxia_method("GetShardAssignments"),
      [this](ServerCall& call, const proto::ShardAssignmentsRequest& request, Replies<proto::ShardAssignments>& replies) {
        return assignments(call, request, replies);
      });
  methods.bidirectional<proto::WriteRequest, proto::WriteResponse>(
      oxia_method("WriteStream"),
      [this](ServerCall& call, rpc::Requests<proto::WriteRequest>& requests, Replies<proto::WriteResponse>& replies) {
        return write_stream(call, requests, replies);
      });
  methods.alias(older_service_name, service_name);
}

// What is in memory and fits into one message; all else is the stream's affair.
std::optional<rpc::Status> OxiaService::read_at_once(const rpc::ServerCall& call, BytesView request, rpc::MessageSink& replies) {
  if (!read_.parse(request) || read_.gets().empty() || read_.gets().size() > gets_at_once_max) return std::nullopt;
  const auto shard = router_.here(call, read_.shard());
  if (!shard) return std::nullopt;
  answer_.clear();
  for (std::size_t i = 0; i < read_.gets().size(); ++i) {
    if (i % store::expected_keys_max == 0) expect(**shard, read_.gets().subspan(i));
    const store::Get& get = read_.gets()[i];
    const bool plain = get.comparison == store::Comparison::equal && !get.index;
    BytesView found;
    if (plain && (*shard)->try_find(get.key, found)) {
      const auto record = store::decode_record(found);
      if (!record) return std::nullopt;
      append_get_response(answer_, *record, get.include_value);
    } else {
      const auto outcome = (*shard)->try_get(get);
      if (!outcome || !*outcome) return std::nullopt;
      append_get_response(answer_, **outcome, get.include_value);
    }
    if (answer_.size() > limits::response_bytes_max) return std::nullopt;
  }
  if (!replies.try_write_encoded(answer_)) return std::nullopt;
  return rpc::Status();
}

Task<rpc::Status> OxiaService::write(rpc::ServerCall& call, const proto::WriteRequest& request, proto::WriteResponse& reply) {
  const Heirs heirs = directory_.heirs_of(ShardId(request.shard()));
  auto parts = heirs.empty() ? std::nullopt : cut_write(request, heirs);
  return parts ? write_parts(call, *std::move(parts), reply) : router_.unary<OxiaCalls>(call, request, reply);
}

Task<rpc::Status> OxiaService::write_parts(rpc::ServerCall& call, std::vector<HeirWrite> parts, proto::WriteResponse& reply) {
  for (const HeirWrite& part : parts) {   // none is written where another could not be
    if (auto refused = router_.refuse(call, ShardId(part.request.shard()))) co_return *std::move(refused);
  }
  for (const HeirWrite& part : parts) {
    proto::WriteResponse answer;
    rpc::Status status = co_await router_.unary<OxiaCalls>(call, part.request, answer);
    if (!status.ok()) co_return status;
    put_together(part, std::move(answer), reply);
  }
  co_return rpc::Status();
}

Task<rpc::Status> OxiaService::read_from(Heirs heirs, rpc::ServerCall& call, const proto::ReadRequest& request,
                                         rpc::Replies<proto::ReadResponse>& replies) {
  store::KeyOrder order{};
  if (rpc::Status status = co_await router_.unary<OxiaCalls>(call, HeirOrder{heirs.front().shard}, order); !status.ok()) {
    co_return status;
  }
  proto::ReadResponse whole;
  HeirRead part{request};
  for (const ShardPlace& heir : heirs) {
    part.request.set_shard(heir.shard.value());
    proto::ReadResponse answer;
    rpc::Status status = co_await router_.unary<OxiaCalls>(call, part, answer);
    if (!status.ok()) co_return status;
    put_together(request, order, std::move(answer), whole);
  }
  auto written = co_await replies.write(whole);
  co_return written ? rpc::Status() : rpc::Status::from(written.error());
}

template <class Request, class Reply>
Task<rpc::Status> OxiaService::walk(rpc::ServerCall& call, const Request& request, rpc::Replies<Reply>& replies) {
  Heirs heirs = directory_.heirs_alone_of(ShardId(request.shard()));
  if (heirs.empty() || !request.has_shard()) co_return co_await router_.stream<OxiaCalls>(call, request, replies);
  proto::RangeScanRequest scan;   // a list over an index does not tell in which order several are to be put together
  scan.set_start_inclusive(request.start_inclusive());
  scan.set_end_exclusive(request.end_exclusive());
  if (request.has_secondary_index_name()) scan.set_secondary_index_name(request.secondary_index_name());
  scan.set_include_internal_keys(request.include_internal_keys());
  co_return co_await walk_over(std::move(heirs), call, std::move(scan), replies);
}

template <class Reply>
Task<rpc::Status> OxiaService::walk_over(Heirs heirs, rpc::ServerCall& call, proto::RangeScanRequest request,
                                         rpc::Replies<Reply>& replies) {
  store::KeyOrder order{};
  rpc::Status status = co_await router_.unary<OxiaCalls>(call, HeirOrder{heirs.front().shard}, order);
  if (!status.ok()) co_return status;
  HeirWalk walk(order, request.has_secondary_index_name());
  for (const ShardPlace& heir : heirs) {
    request.set_shard(heir.shard.value());
    auto opened = co_await router_.open<OxiaCalls, proto::RangeScanRequest, proto::RangeScanResponse>(call, request);
    if (!opened) co_return opened.error();
    if (const auto added = co_await walk.add(*std::move(opened)); !added) co_return oxia_status(added.error());
  }
  ReplyPage<Reply> page;
  while (proto::GetResponse* record = walk.record()) {
    if (!page.takes(*record)) {
      if (auto written = co_await replies.write(page.reply()); !written) co_return rpc::Status::from(written.error());
      page.clear();
      continue;
    }
    if (const auto stepped = co_await walk.next(); !stepped) co_return oxia_status(stepped.error());
    if (core_.yield_due()) co_await core_.yield();
  }
  auto written = page.empty() ? Result<>() : co_await replies.write(page.reply());
  co_return written ? rpc::Status() : rpc::Status::from(written.error());
}

Task<rpc::Status> OxiaService::create_session_on(Heirs heirs, rpc::ServerCall& call, const proto::CreateSessionRequest& request,
                                                 proto::CreateSessionResponse& reply) {
  rpc::Status refused;
  InheritedSession session{request, std::nullopt};
  for (const ShardPlace& heir : heirs) {
    session.request.set_shard(heir.shard.value());
    rpc::Status status = co_await router_.unary<OxiaCalls>(call, session, reply);
    if (status.ok()) session.given = SessionId(reply.session_id());
    else refused = std::move(status);
  }
  co_return session.given ? rpc::Status() : std::move(refused);
}

Task<rpc::Status> OxiaService::write_stream(rpc::ServerCall& call, rpc::Requests<proto::WriteRequest>& requests,
                                            rpc::Replies<proto::WriteResponse>& replies) {
  const auto named = ShardRouter::shard_of_stream(call);
  Heirs heirs = named ? directory_.heirs_of(*named) : Heirs();
  if (!heirs.empty()) co_return co_await write_stream_to(std::move(heirs), call, requests, replies);
  const auto place = router_.route_stream(call);
  if (!place) co_return place.error();
  co_return co_await WriteStream<OxiaWrites>::serve(core_, router_.hosts(), place->core, place->shard, call, requests, replies);
}

// One after the other: it lasts until the client has heard of the shards of today.
Task<rpc::Status> OxiaService::write_stream_to(Heirs heirs, rpc::ServerCall& call, rpc::Requests<proto::WriteRequest>& requests,
                                               rpc::Replies<proto::WriteResponse>& replies) {
  proto::WriteRequest request;
  for (;;) {
    const auto more = co_await requests.next(request);
    if (!more) co_return rpc::Status::from(more.error());
    if (!*more) co_return rpc::Status();
    auto parts = cut_write(request, heirs);
    if (!parts) co_return oxia_status(OxiaError::shard_not_found);
    proto::WriteResponse reply;
    rpc::Status status = co_await write_parts(call, *std::move(parts), reply);
    if (!status.ok()) co_return status;
    if (auto written = co_await replies.write(reply); !written) co_return rpc::Status::from(written.error());
  }
}

Task<rpc::Status> OxiaService::assignments(rpc::ServerCall& call, const proto::ShardAssignmentsRequest& request,
                                           rpc::Replies<proto::ShardAssignments>& replies) {
  if (auto refused = router_.refuse_authority(call.authority())) co_return *std::move(refused);
  const std::string name(request.namespace_().empty() ? default_namespace : std::string_view(request.namespace_()));
  if (auto refused = refuse_access(call, name)) co_return *std::move(refused);   // first: who may not look learns no names
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
