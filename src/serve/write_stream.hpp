// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>

#include "rpc/server.hpp"
#include "runtime/cores.hpp"
#include "runtime/sharded.hpp"
#include "serve/shard_directory.hpp"
#include "serve/write_lane.hpp"

namespace skerry::serve {

// The connection's half of one WriteStream: reads requests into the shard's lane and, beside that, writes its answers. At most
// limits::stream_writes_in_flight_max or stream_bytes_in_flight_max are unanswered, then it reads no further. Lives in the
// handler's frame.
template <class Writes>
class WriteStream {
  using Request = typename Writes::Request;
  using Reply = typename Writes::Reply;
  using Answers = typename WriteLane<Writes>::Answers;

 public:
  // References are the handler's own.
  static Task<rpc::Status> serve(Core& core, const Sharded<ShardHost>& hosts, CoreId owner, ShardId shard, rpc::ServerCall& call,
                                 rpc::Requests<Request>& requests, rpc::Replies<Reply>& replies);

 private:
  using Lane = std::shared_ptr<ForeignPtr<WriteLane<Writes>>>;   // freed on the shard's core, whoever lets go last
  WriteStream(Core& core, Cores& cores, Lane lane, rpc::ServerCall& call, rpc::Requests<Request>& requests,
              rpc::Replies<Reply>& replies);

  bool has_room() const;
  Task<> read();
  Task<> write();
  Task<Result<>> send(const Answers& answers);
  static Result<Lane> open_lane(ShardHost& host, Core* core, ShardId shard, bool traced);
  static void push_there(Lane lane, Request request);
  static Task<Answers> answers_there(Lane lane);

  Cores& cores_;
  Lane lane_;
  const bool local_;
  rpc::ServerCall& call_;
  rpc::Requests<Request>& requests_;
  rpc::Replies<Reply>& replies_;
  std::deque<std::size_t> unanswered_;   // bytes of each
  std::size_t unanswered_bytes_ = 0;
  bool reading_ = true;
  rpc::Status status_;
  WaitList pushed_, answered_;
};

}   // namespace skerry::serve
