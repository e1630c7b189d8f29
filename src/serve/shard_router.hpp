// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>

#include "rpc/server.hpp"
#include "runtime/core.hpp"
#include "runtime/cores.hpp"
#include "runtime/sharded.hpp"
#include "serve/oxia_error.hpp"
#include "serve/shard_calls.hpp"
#include "serve/shard_directory.hpp"

namespace skerry::serve {

// Whether the address that a request was sent to must be one of the cluster's (Assignments::allowed_authorities).
enum class AuthorityCheck { off, members };

// What every service over shards does first and last: refuses calls sent to a wrong address or by who may not make them, finds
// the core of the shard that a request names, takes the whole message there and its answers back. One core's; a part of the
// service that uses it.
//
// A protocol tells what is its own with a class `Calls`:
//   static rpc::Status status(const Error& error);
//   static Task<Result<>> answer(replica::Shard&, const Request&, Reply&, WriteStages*);       for each method with one answer
//   static Result<std::unique_ptr<Chunks<Reply>>> chunks(Core&, replica::Shard&, Request);     for each with many
class ShardRouter {
 public:
  ShardRouter(Core& core, const Sharded<ShardHost>& hosts, const ShardDirectory& directory, AuthorityCheck check)
      : core_(core), hosts_(hosts), directory_(directory), check_(check) {}

  template <class Calls, class Request, class Reply>
  Task<rpc::Status> unary(rpc::ServerCall& call, const Request& request, Reply& reply);
  // Of a session: where its shard was split or merged, it is passed on to those that have its sessions now, as far as they are
  // led here; good when one of them takes it. For clients that know of no other shard yet.
  template <class Calls, class Request, class Reply>
  Task<rpc::Status> unary_of_session(rpc::ServerCall& call, const Request& request, Reply& reply);
  template <class Calls, class Request, class Reply>
  Task<rpc::Status> stream(rpc::ServerCall& call, const Request& request, rpc::Replies<Reply>& replies);

  struct Place {
    CoreId core;
    ShardId shard;
  };
  // Where a stream of writes goes, whose shard stands in a header; or how to refuse it.
  std::expected<Place, rpc::Status> route_stream(rpc::ServerCall& call) const;
  static std::optional<ShardId> shard_of_stream(rpc::ServerCall& call);   // nothing: the header doesn't say, or makes no sense
  // The shard, when it is this core's and the call may go on; else unary() and stream() do what is to be done.
  std::optional<replica::ShardUse> here(const rpc::ServerCall& call, ShardId shard) const;
  // Why a call about the shard can't go on, as far as is known here; nothing: it can.
  std::optional<rpc::Status> refuse(const rpc::ServerCall& call, ShardId shard) const;
  // Nothing when the call may go on.
  std::optional<rpc::Status> refuse_authority(std::string_view authority) const;
  const Sharded<ShardHost>& hosts() const { return hosts_; }

 private:
  template <class Calls>
  struct There;   // what runs on the shard's core

  std::expected<Place, rpc::Status> route(const rpc::ServerCall& call, std::optional<ShardId> shard) const;

  Core& core_;
  const Sharded<ShardHost>& hosts_;
  const ShardDirectory& directory_;
  AuthorityCheck check_;
};

namespace detail {

// Nothing where the request may, but does not, name its shard.
template <class Request>
std::optional<ShardId> shard_of(const Request& request) {
  if constexpr (requires { request.has_shard(); }) {
    if (!request.has_shard()) return std::nullopt;
  }
  return ShardId(request.shard());
}

template <class Reply>
struct Answered {
  Result<> result;
  Reply reply;
  WriteStages stages;
};
template <class Reply>
struct Pulled {
  Result<bool> more;
  Reply reply;
};
// What is encoded already goes out as it is, where the call can take that: one that speaks JSON can't.
template <class Reply>
Task<Result<>> write_encoded(rpc::Replies<Reply>& replies, BytesView encoded) {
  if (replies.try_write_encoded(encoded)) co_return co_await replies.room();
  Reply reply;
  CO_TRYV(rpc::parse(encoded, reply));
  co_return co_await replies.write(reply);
}
// With the shard that they come from.
template <class Reply>
class HeldChunks final : public Chunks<Reply> {
 public:
  HeldChunks(replica::ShardUse shard, std::unique_ptr<Chunks<Reply>> chunks)
      : shard_(std::move(shard)), chunks_(std::move(chunks)) {}
  Task<Result<bool>> next(Reply& reply) override { return chunks_->next(reply); }

 private:
  replica::ShardUse shard_;
  std::unique_ptr<Chunks<Reply>> chunks_;
};
// Whoever lets go of it last, it is freed on the shard's core.
template <class Reply>
using RemoteChunks = std::shared_ptr<ForeignPtr<Chunks<Reply>>>;

}   // namespace detail

template <class Calls>
struct ShardRouter::There {
  template <class Request, class Reply>
  static Task<detail::Answered<Reply>> answer(ShardHost& host, ShardId id, Request request, bool traced) {
    detail::Answered<Reply> answered;
    auto shard = open_shard(host, id);
    if (shard) {
      answered.result = co_await Calls::answer(**shard, request, answered.reply, traced ? &answered.stages : nullptr);
    } else {
      answered.result = fail(std::move(shard).error());
    }
    co_return answered;
  }
  template <class Request, class Reply>
  static Result<detail::RemoteChunks<Reply>> open(ShardHost& host, Core* core, ShardId id, Request request) {
    TRY(replica::ShardUse shard, open_shard(host, id));
    TRY(auto opened, Calls::chunks(*core, *shard, std::move(request)));
    return std::make_shared<ForeignPtr<Chunks<Reply>>>(
        *core, std::make_unique<detail::HeldChunks<Reply>>(std::move(shard), std::move(opened)));
  }
  template <class Reply>
  static Task<detail::Pulled<Reply>> pull(detail::RemoteChunks<Reply> chunks) {
    detail::Pulled<Reply> pulled;
    pulled.more = co_await (*chunks)->next(pulled.reply);
    co_return pulled;
  }
};

template <class Calls, class Request, class Reply>
Task<rpc::Status> ShardRouter::unary(rpc::ServerCall& call, const Request& request, Reply& reply) {
  const auto place = route(call, detail::shard_of(request));
  if (!place) co_return place.error();
  const bool traced = call.span() != nullptr;
  if (place->core == core_.id()) {
    const auto open = open_shard(hosts_.local(place->core), place->shard);
    if (!open) co_return Calls::status(open.error());
    WriteStages stages;
    const Result<> result = co_await Calls::answer(**open, request, reply, traced ? &stages : nullptr);
    if (traced) call.record_stages(stages);
    co_return result ? rpc::Status() : Calls::status(result.error());
  }
  auto answered =
      co_await hosts_.invoke_on(place->core, There<Calls>::template answer<Request, Reply>, place->shard, request, traced);
  if (traced) call.record_stages(answered.stages);
  reply = std::move(answered.reply);
  co_return answered.result ? rpc::Status() : Calls::status(answered.result.error());
}

template <class Calls, class Request, class Reply>
Task<rpc::Status> ShardRouter::unary_of_session(rpc::ServerCall& call, const Request& request, Reply& reply) {
  const std::vector<ShardPlace> heirs = directory_.heirs_of(ShardId(request.shard()));
  if (heirs.empty()) co_return co_await unary<Calls>(call, request, reply);
  rpc::Status refused;
  bool taken = false;
  for (const ShardPlace& heir : heirs) {
    Request passed_on = request;
    passed_on.set_shard(heir.shard.value());
    rpc::Status status = co_await unary<Calls>(call, passed_on, reply);
    if (status.ok()) taken = true;
    else refused = std::move(status);
  }
  co_return taken ? rpc::Status() : std::move(refused);
}

template <class Calls, class Request, class Reply>
Task<rpc::Status> ShardRouter::stream(rpc::ServerCall& call, const Request& request, rpc::Replies<Reply>& replies) {
  const auto place = route(call, detail::shard_of(request));
  if (!place) co_return place.error();
  if (place->core == core_.id()) {
    const auto open = open_shard(hosts_.local(place->core), place->shard);
    if (!open) co_return Calls::status(open.error());
    auto chunks = Calls::chunks(core_, **open, request);
    if (!chunks) co_return Calls::status(chunks.error());
    while ((*chunks)->encodes()) {
      const auto encoded = co_await (*chunks)->next_encoded();
      if (!encoded) co_return Calls::status(encoded.error());
      if (!*encoded) co_return rpc::Status();
      if (auto sent = co_await detail::write_encoded(replies, **encoded); !sent) co_return rpc::Status::from(sent.error());
    }
    Reply reply;
    for (;;) {
      const auto more = co_await (*chunks)->next(reply);
      if (!more) co_return Calls::status(more.error());
      if (!*more) co_return rpc::Status();
      if (auto written = co_await replies.write(reply); !written) co_return rpc::Status::from(written.error());
    }
  }
  Cores& cores = hosts_.cores();
  auto chunks = co_await hosts_.invoke_on(place->core, There<Calls>::template open<Request, Reply>, &cores.core(place->core),
                                          place->shard, request);
  if (!chunks) co_return Calls::status(chunks.error());
  for (;;) {
    auto pulled = co_await cores.call(place->core, There<Calls>::template pull<Reply>, *chunks);
    if (!pulled.more) co_return Calls::status(pulled.more.error());
    if (!*pulled.more) co_return rpc::Status();
    if (auto written = co_await replies.write(pulled.reply); !written) co_return rpc::Status::from(written.error());
  }
}

}   // namespace skerry::serve
