// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "oxia/client.pb.h"
#include "replica/shard.hpp"
#include "runtime/cores.hpp"
#include "serve/heirs.hpp"
#include "serve/shard_directory.hpp"

// The shard's half of every method: runs on the shard's core, over whole messages, and knows nothing of connections.
namespace skerry::serve {

namespace proto = io::oxia::proto::v1;

// The open shard, to be held until the last answer; or not_initialized.
Result<replica::ShardUse> open_shard(ShardHost& host, ShardId shard);

// Methods with one answer. References are valid until they return.
Task<Result<>> answer(replica::Shard& shard, const proto::WriteRequest& request, proto::WriteResponse& reply,
                      WriteStages* stages = nullptr);   // gets the times of the write's stages, unless it is null
Task<Result<>> answer(replica::Shard& shard, const proto::CreateSessionRequest& request, proto::CreateSessionResponse& reply);
// One that was asked of a shard that was split: all that it became take it under one id.
struct InheritedSession {
  proto::CreateSessionRequest request;
  std::optional<SessionId> given;   // nothing: this is the first that takes it
  std::int64_t shard() const { return request.shard(); }
};
Task<Result<>> answer(replica::Shard& shard, const InheritedSession& session, proto::CreateSessionResponse& reply);
Task<Result<>> answer(replica::Shard& shard, const HeirRead& read,
                      proto::ReadResponse& reply);   // as far as it fits into one message
Task<Result<>> answer(replica::Shard& shard, const proto::SessionHeartbeat& request, proto::KeepAliveResponse& reply);
Task<Result<>> answer(replica::Shard& shard, const proto::CloseSessionRequest& request, proto::CloseSessionResponse& reply);

// A method with many answers, pulled one message at a time, so that a slow client costs its shard no more than one message.
// Belongs to the shard's core.
template <class Reply>
class Chunks {
 public:
  virtual ~Chunks() = default;
  // Fills the next message; false at the end.
  virtual Task<Result<bool>> next(Reply& reply) = 0;
  // Whether the next message is cheaper to have as it goes on the wire, by next_encoded(): valid until the one after it.
  virtual bool encodes() const { return false; }
  virtual Task<Result<std::optional<BytesView>>> next_encoded() {
    co_return fail(Errc::unsupported, "these messages are not encoded by who makes them");
  }
};

Result<std::unique_ptr<Chunks<proto::ReadResponse>>> chunks(Core& core, replica::Shard& shard, proto::ReadRequest request);
Result<std::unique_ptr<Chunks<proto::ListResponse>>> chunks(Core& core, replica::Shard& shard, proto::ListRequest request);
Result<std::unique_ptr<Chunks<proto::RangeScanResponse>>> chunks(Core& core, replica::Shard& shard,
                                                                 proto::RangeScanRequest request);
Result<std::unique_ptr<Chunks<proto::GetSequenceUpdatesResponse>>> chunks(Core& core, replica::Shard& shard,
                                                                          proto::GetSequenceUpdatesRequest request);
Result<std::unique_ptr<Chunks<proto::NotificationBatch>>> chunks(Core& core, replica::Shard& shard,
                                                                 proto::NotificationsRequest request);

}  // namespace skerry::serve
