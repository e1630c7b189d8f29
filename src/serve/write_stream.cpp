// SPDX-License-Identifier: Apache-2.0
#include "serve/write_stream.hpp"

#include "base/assert.hpp"
#include "base/limits.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "serve/oxia_error.hpp"
#include "serve/shard_calls.hpp"

namespace skerry::serve {
namespace {

constexpr std::size_t kept_bytes_max = 64 << 10;

}  // namespace

template <class Writes>
WriteStream<Writes>::WriteStream(Core& core, Cores& cores, Lane lane, rpc::ServerCall& call, rpc::Requests<Request>& requests,
                                 rpc::Replies<Reply>& replies)
    : cores_(cores), lane_(std::move(lane)), local_(lane_->home() == core.id()), call_(call), requests_(requests),
      replies_(replies), pushed_(core), answered_(core) {}

template <class Writes>
Task<rpc::Status> WriteStream<Writes>::serve(Core& core, const Sharded<ShardHost>& hosts, CoreId owner, ShardId shard,
                                             rpc::ServerCall& call, rpc::Requests<Request>& requests,
                                             rpc::Replies<Reply>& replies) {
  auto lane = co_await hosts.invoke_on(owner, open_lane, &hosts.cores().core(owner), shard, call.span() != nullptr);
  if (!lane) co_return Writes::status(lane.error());
  WriteStream<Writes> stream(core, hosts.cores(), *std::move(lane), call, requests, replies);
  co_await run_beside(core, stream.write(), stream.read());
  co_return std::move(stream.status_);
}

// --- run on the shard's core

template <class Writes>
Result<typename WriteStream<Writes>::Lane> WriteStream<Writes>::open_lane(ShardHost& host, Core* core, ShardId shard,
                                                                          bool traced) {
  TRY(const replica::ShardUse found, open_shard(host, shard));
  return std::make_shared<ForeignPtr<WriteLane<Writes>>>(
      *core, std::make_unique<WriteLane<Writes>>(found, traced ? &core->clock() : nullptr));
}

template <class Writes>
void WriteStream<Writes>::push_there(Lane lane, Request request) {
  (*lane)->push(request);
}

template <class Writes>
Task<typename WriteLane<Writes>::Answers> WriteStream<Writes>::answers_there(Lane lane) {
  co_return co_await (*lane)->next_answers();
}

// --- run on the connection's core

template <class Writes>
bool WriteStream<Writes>::has_room() const {
  return unanswered_.size() < limits::stream_writes_in_flight_max && unanswered_bytes_ < limits::stream_bytes_in_flight_max;
}

template <class Writes>
Task<> WriteStream<Writes>::read() {
  Request request;
  for (;;) {
    while (!has_room()) co_await answered_.wait();
    const auto more = co_await requests_.next(request);
    if (!more) status_ = rpc::Status::from(more.error());
    if (!more || !*more) break;
    const std::size_t bytes = request.ByteSizeLong();
    if (local_) {
      (*lane_)->push(request);
    } else {
      co_await cores_.post(lane_->home(), push_there, lane_, std::move(request));
      request.Clear();
    }
    if (bytes > kept_bytes_max) request = Request();   // which keeps the room of the largest that it was
    unanswered_.push_back(bytes);
    unanswered_bytes_ += bytes;
    pushed_.wake_all();
  }
  reading_ = false;
  pushed_.wake_all();
}

template <class Writes>
Task<Result<>> WriteStream<Writes>::send(const Answers& answers) {
  std::size_t start = 0;
  for (const std::size_t end : answers.ends) {
    const BytesView reply = BytesView(answers.replies).substr(start, end - start);
    start = end;
    if (replies_.try_write_encoded(reply)) continue;
    Reply message;
    SKERRY_ASSERT(message.ParseFromArray(reply.data(), static_cast<int>(reply.size())));
    CO_TRYV(co_await replies_.write(message));   // says why, where the call has ended
  }
  co_return co_await replies_.room();
}

// Ends the stream with the first error, whoever met it.
template <class Writes>
Task<> WriteStream<Writes>::write() {
  while (reading_ || !unanswered_.empty()) {
    if (unanswered_.empty()) {
      co_await pushed_.wait();
      continue;
    }
    Answers answers;
    if (local_) {
      answers = co_await (*lane_)->next_answers();
    } else {
      answers = co_await cores_.call(lane_->home(), answers_there, lane_);
    }
    for (const WriteStages& stages : answers.stages) call_.record_stages(stages);
    if (auto written = co_await send(answers); !written) {
      status_ = rpc::Status::from(written.error());
      co_return;
    }
    if (answers.end) {
      if (status_.ok()) status_ = Writes::status(*answers.end);
      co_return;
    }
    for (std::size_t answered = 0; answered < answers.ends.size(); ++answered) {
      unanswered_bytes_ -= unanswered_.front();
      unanswered_.pop_front();
    }
    answered_.wake_all();
  }
}

template class WriteStream<OxiaWrites>;
template class WriteStream<StoreV1Writes>;

}  // namespace skerry::serve
