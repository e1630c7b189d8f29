// SPDX-License-Identifier: Apache-2.0
#include "load/store_followers.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "load/store_words.hpp"
#include "oxia/client.pb.h"
#include "runtime/core.hpp"

namespace skerry::bench {
namespace {

namespace oxia = io::oxia::proto::v1;

// Of a NotificationBatch, without unpacking the changes; -1 when it has none.
std::int64_t offset_of(BytesView batch) {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(batch.data()), static_cast<int>(batch.size()));
  while (const std::uint32_t tag = in.ReadTag()) {
    std::uint64_t offset = 0;
    if (WireFormatLite::GetTagFieldNumber(tag) == oxia::NotificationBatch::kOffsetFieldNumber) {
      return in.ReadVarint64(&offset) ? static_cast<std::int64_t>(offset) : -1;
    }
    if (!WireFormatLite::SkipField(&in, tag)) break;
  }
  return -1;
}

}  // namespace

StoreFollowers::StoreFollowers(Core& core, net::Network& network, const net::Address& address, FollowerOptions options)
    : core_(core), options_(std::move(options)), tasks_(core) {
  for (std::size_t i = 0; i < options_.connections; ++i) channels_.push_back(rpc::Channel::make(core, network, address, {}));
}

// The first that a new follower gets is a batch without changes, which says where it stands.
Task<Result<std::int64_t>> StoreFollowers::start() {
  std::int64_t from = -1;
  oxia::NotificationsRequest request;
  request.set_shard(0);
  for (std::size_t i = 0; i < options_.followers; ++i) {
    CO_TRY(auto call, co_await channels_[i % channels_.size()]->open("/io.oxia.proto.v1.OxiaClient/GetNotifications",
                                                                     {.deadline = core_.now() + run_timeout, .metadata = {}}));
    CO_TRYV(co_await call->write(request));
    CO_TRYV(co_await call->finish_writing());
    CO_TRY(const auto first, co_await call->next());
    if (!first) co_return fail(Errc::unavailable, "a follower was turned away: " + (co_await call->finish()).message);
    from = offset_of(*first);
    calls_.push_back(std::move(call));
  }
  for (auto& call : calls_) tasks_.spawn(follow(*call));
  co_return from;
}

Task<> StoreFollowers::follow(rpc::ClientCall& call) {
  for (;;) {
    const auto batch = co_await call.next();
    if (!batch || !*batch) co_return;
    options_.told(offset_of(**batch));
  }
}

Task<> StoreFollowers::stop() {
  for (auto& call : calls_) call->cancel();
  co_await tasks_.cancel_and_join();
  for (auto& channel : channels_) co_await channel->stop();
}

}  // namespace skerry::bench
