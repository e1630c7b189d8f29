// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "load/store_followers.hpp"
#include "load/store_words.hpp"
#include "load/target.hpp"
#include "oxia/client.pb.h"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::bench {
namespace {

namespace oxia = io::oxia::proto::v1;

void fill(oxia::WriteRequest& request, std::span<const Operation> operations) {
  for (const Operation& operation : operations) {
    oxia::PutRequest& put = *request.add_puts();
    put.set_key(operation.key.data(), operation.key.size());
    put.set_value(operation.value.data(), operation.value.size());
  }
}

// One channel with one write stream to a shard; replies come in the order of the requests.
class StoreConnection {
 public:
  StoreConnection(Core& core, net::Network& network, const net::Address& address, std::int64_t shard)
      : core_(core), shard_(shard), channel_(rpc::Channel::make(core, network, address, {})), may_write_(core), tasks_(core) {}

  Task<Result<>> connect() {
    rpc::CallOptions options{.deadline = core_.now() + run_timeout, .metadata = {}};
    options.metadata.add("namespace", "default");
    options.metadata.add("shard-id", std::to_string(shard_));
    CO_TRY(writes_, co_await channel_->open("/io.oxia.proto.v1.OxiaClient/WriteStream", std::move(options)));
    tasks_.spawn(read_replies());
    tasks_.spawn(write_requests());
    co_return Result<>{};
  }

  Task<Result<>> put(std::span<const Operation> operations) {
    if (ended_) co_return fail(*ended_);
    Pending pending{.request = {}, .done = Event(core_), .result = {}};
    pending.request.set_shard(shard_);
    fill(pending.request, operations);
    unsent_.push_back(&pending);
    may_write_.notify_all();
    co_await pending.done.wait();
    co_return std::move(pending.result);
  }

  Task<Result<>> get(std::span<const Operation> operations) {
    oxia::ReadRequest request;
    request.set_shard(shard_);
    for (const Operation& operation : operations) {
      oxia::GetRequest& get = *request.add_gets();
      get.set_key(operation.key.data(), operation.key.size());
      get.set_include_value(true);
    }
    oxia::ReadResponse reply;   // one: the answers to these fit into it
    CO_TRYV(store_result(co_await channel_->unary("/io.oxia.proto.v1.OxiaClient/Read", request, reply,
                                                  {.deadline = core_.now() + store_timeout, .metadata = {}})));
    const auto found = std::ranges::count_if(reply.gets(), [](const auto& get) { return get.status() == oxia::OK; });
    if (found != static_cast<int>(operations.size())) co_return fail(Errc::not_found, "the store has no such key");
    co_return Result<>{};
  }

  Task<Result<std::uint64_t>> read_range(RangeRead range) {
    if (range.what == RangeRead::What::keys) {
      co_return co_await read_range<oxia::ListRequest, oxia::ListResponse>("List", range,
                                                                           [](const auto& reply) { return reply.keys_size(); });
    }
    co_return co_await read_range<oxia::RangeScanRequest, oxia::RangeScanResponse>(
        "RangeScan", range, [](const auto& reply) { return reply.records_size(); });
  }

  Task<> stop() {
    if (writes_) writes_->cancel();
    co_await tasks_.cancel_and_join();
    co_await channel_->stop();
  }

 private:
  template <class Request, class Reply>
  Task<Result<std::uint64_t>> read_range(std::string method, RangeRead range, int (*count)(const Reply&)) {
    Request request;
    request.set_shard(shard_);
    request.set_start_inclusive(std::string(range.first));
    request.set_end_exclusive(std::string(range.end));
    CO_TRY(auto call, co_await channel_->open("/io.oxia.proto.v1.OxiaClient/" + method,
                                              {.deadline = core_.now() + store_timeout, .metadata = {}}));
    CO_TRYV(co_await call->write(request));
    CO_TRYV(co_await call->finish_writing());
    Reply reply;
    std::uint64_t found = 0;
    for (;;) {
      CO_TRY(const bool more, co_await call->read(reply));
      if (!more) break;
      found += static_cast<std::uint64_t>(count(reply));
    }
    CO_TRYV(store_result(co_await call->finish()));
    co_return found;
  }

  struct Pending {
    oxia::WriteRequest request;
    Event done;
    Result<> result;
  };

  Task<> write_requests() {
    for (;;) {
      while (unsent_.empty()) co_await may_write_.wait();
      Pending* const pending = unsent_.front();
      unsent_.pop_front();
      unanswered_.push_back(pending);
      if (!co_await writes_->write(pending->request)) co_return;
    }
  }

  Task<> read_replies() {
    oxia::WriteResponse reply;
    for (;;) {
      const auto more = co_await writes_->read(reply);
      if (!more || !*more) break;
      Pending* const pending = unanswered_.front();
      unanswered_.pop_front();
      for (const auto& put : reply.puts()) {
        if (put.status() != oxia::OK) pending->result = fail(Errc::internal, "a put was refused");
      }
      pending->done.set();
    }
    const rpc::Status status = co_await writes_->finish();
    ended_ = Error(Errc::closed, "the write stream ended: " + status.message);
    for (std::deque<Pending*>* left : {&unanswered_, &unsent_}) {
      for (Pending* pending : *left) {
        pending->result = fail(*ended_);
        pending->done.set();
      }
      left->clear();
    }
  }

  Core& core_;
  const std::int64_t shard_;
  std::unique_ptr<rpc::Channel> channel_;
  std::unique_ptr<rpc::ClientCall> writes_;
  std::deque<Pending*> unsent_, unanswered_;
  std::optional<Error> ended_;   // nothing is answered any more
  Signal may_write_;
  TaskScope tasks_;
};

class StoreTarget final : public Target {
 public:
  StoreTarget(Core& core, net::Network& network, TargetOptions options)
      : core_(core), network_(network), options_(std::move(options)) {
    for (std::uint32_t i = 0; i < options_.connections * options_.shards; ++i) {
      const std::uint32_t shard = i % options_.shards;
      connections_.push_back(
          std::make_unique<StoreConnection>(core, network, options_.addresses[shard % options_.addresses.size()], shard));
    }
  }

  Task<Result<>> connect() override {
    for (auto& connection : connections_) CO_TRYV(co_await connection->connect());
    co_return Result<>{};
  }

  Task<Result<>> execute(std::span<const Operation> operations) override {
    StoreConnection& connection = next();
    if (operations[0].kind == Operation::Kind::put) co_return co_await connection.put(operations);
    co_return co_await connection.get(operations);
  }

  Task<Result<std::uint64_t>> read_range(RangeRead range) override { return next().read_range(range); }

  Task<Result<std::int64_t>> follow(FollowerOptions options) override {
    followers_ = std::make_unique<StoreFollowers>(core_, network_, options_.addresses[0], std::move(options));
    return followers_->start();
  }

  Task<> stop() override {
    if (followers_) co_await followers_->stop();
    for (auto& connection : connections_) co_await connection->stop();
  }

 private:
  StoreConnection& next() { return *connections_[next_++ % connections_.size()]; }

  Core& core_;
  net::Network& network_;
  TargetOptions options_;
  std::vector<std::unique_ptr<StoreConnection>> connections_;
  std::size_t next_ = 0;
  std::unique_ptr<StoreFollowers> followers_;
};

}  // namespace

std::unique_ptr<Target> make_store_target(Core& core, net::Network& network, TargetOptions options) {
  return std::make_unique<StoreTarget>(core, network, std::move(options));
}

}  // namespace skerry::bench
