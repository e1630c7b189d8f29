// SPDX-License-Identifier: Apache-2.0
#include "rpc/channel.hpp"

#include <google/protobuf/message_lite.h>

#include <list>

#include "rpc/alarm.hpp"
#include "rpc/client_connection.hpp"
#include "runtime/event.hpp"

namespace skerry::rpc {
namespace {

constexpr Duration proven_after = 1s;   // a connection that lasts so long was a good one

class ClientCallImpl final : public ClientCall {
 public:
  explicit ClientCallImpl(std::unique_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
  Task<Result<>> write(const google::protobuf::MessageLite& message) override { return stream_->write(message); }
  Task<Result<>> finish_writing() override {
    stream_->finish_writing();
    co_return Result<>();
  }
  Task<Result<bool>> read(google::protobuf::MessageLite& into) override { return stream_->read(into); }
  Task<Result<std::optional<BytesView>>> next() override { return stream_->next(); }
  Task<Status> finish() override {
    stream_->discard_replies();
    return stream_->ended();
  }
  void cancel() override { stream_->cancel({Code::cancelled, "the call was cancelled by its caller", {}}); }

 private:
  std::unique_ptr<ClientStream> stream_;
};

class ChannelImpl final : public Channel {
 public:
  ChannelImpl(Core& core, net::Network& network, net::Address address, ChannelOptions options)
      : core_(core), network_(network), address_(std::move(address)), options_(std::move(options)),
        keepalive_interval_(options_.keepalive_interval), changed_(core), tasks_(core) {
    if (options_.authority.empty()) options_.authority = address_.text();
  }

  Task<Status> unary(std::string method, const google::protobuf::MessageLite& request, google::protobuf::MessageLite& reply,
                     CallOptions options) override;
  Task<Result<std::unique_ptr<ClientCall>>> open(std::string method, CallOptions options) override;
  Task<> stop() override;

 private:
  Task<Status> begin(ClientStream& stream, const Metadata& metadata);
  Task<> keep_connection();
  void failed_to_connect(const Error& error);
  bool usable() const { return current_ != nullptr && !current_->going_away(); }

  Core& core_;
  net::Network& network_;
  const net::Address address_;
  ChannelOptions options_;
  Duration keepalive_interval_;
  std::list<std::unique_ptr<ClientConnection>> connections_;   // the current one, and those whose calls still run
  ClientConnection* current_ = nullptr;
  bool connecting_ = false, stopping_ = false;
  TimePoint next_attempt_ = TimePoint::min();
  Duration backoff_{0};
  Error last_failure_;
  Signal changed_;
  TaskScope tasks_;
};

// Connects, and then runs the connection until it ends.
Task<> ChannelImpl::keep_connection() {
  auto stream = co_await network_.connect(address_, core_.now() + options_.connect_timeout);
  connecting_ = false;
  if (stopping_) co_return;
  if (!stream) {
    failed_to_connect(stream.error());
    changed_.notify_all();
    co_return;
  }
  const TimePoint connected = core_.now();
  const auto position = connections_.insert(
      connections_.end(), std::make_unique<ClientConnection>(core_, tasks_, std::move(*stream), options_, keepalive_interval_));
  ClientConnection& connection = **position;
  current_ = &connection;
  changed_.notify_all();
  const Error why = co_await connection.run();
  if (current_ == &connection) current_ = nullptr;
  // A server that accepts and hangs up at once is not asked again at once.
  if (core_.now() - connected < proven_after) {
    failed_to_connect(why);
  } else {
    backoff_ = Duration(0);
  }
  if (connection.asked_for_fewer_pings()) keepalive_interval_ *= 2;
  connections_.erase(position);
  changed_.notify_all();
}

void ChannelImpl::failed_to_connect(const Error& error) {
  last_failure_ = error;
  backoff_ = std::clamp(2 * backoff_, options_.backoff_min, options_.backoff_max);
  // Between half and the whole of it, so that clients of a server that died do not all come back at once.
  const auto half = static_cast<std::uint64_t>(backoff_.count() / 2);
  next_attempt_ = core_.now() + Duration(static_cast<std::int64_t>(half + core_.random().below(half + 1)));
}

// Ends with ok when the call's headers are on a connection.
Task<Status> ChannelImpl::begin(ClientStream& stream, const Metadata& metadata) {
  const std::string where = options_.authority;
  Alarm alarm(changed_);
  for (;;) {
    if (stopping_) co_return Status{Code::unavailable, "the channel to " + where + " was stopped", {}};
    if (core_.now() >= stream.deadline()) {
      co_return Status{Code::deadline_exceeded, "no connection to " + where + " before the deadline", {}};
    }
    if (usable()) {
      if (current_->submit(stream, metadata)) co_return Status();
      continue;   // it can take no more calls: another is needed
    }
    if (!connecting_) {
      if (core_.now() < next_attempt_) {
        // What only another configuration mends is not worth the caller's patience.
        const bool hopeless = last_failure_ == Errc::invalid_argument;
        co_return Status{hopeless ? Code::failed_precondition : Code::unavailable, last_failure_.message(), {}};
      }
      connecting_ = true;
      tasks_.spawn(keep_connection());
    }
    if (stream.deadline() != no_deadline && !alarm.armed()) core_.timers().arm(alarm, stream.deadline());
    co_await changed_.wait();
  }
}

Task<Status> ChannelImpl::unary(std::string method, const google::protobuf::MessageLite& request,
                                google::protobuf::MessageLite& reply, CallOptions options) {
  ClientStream stream(core_, options_, std::move(method), options.deadline);
  if (const auto queued = stream.queue(request); !queued) co_return Status::from(queued.error());
  stream.finish_writing();
  if (Status begun = co_await begin(stream, options.metadata); !begun.ok()) co_return begun;
  const auto read = co_await stream.read(reply);
  if (!read) co_return Status{Code::internal, read.error().message(), {}};
  Status status = co_await stream.ended();
  if (status.ok() && !*read) {
    co_return Status{Code::unimplemented, options_.authority + " ended " + stream.method() + " without a reply", {}};
  }
  if (status.ok() && stream.has_reply()) {
    co_return Status{Code::unimplemented, options_.authority + " answered " + stream.method() + " more than once", {}};
  }
  co_return status;
}

Task<Result<std::unique_ptr<ClientCall>>> ChannelImpl::open(std::string method, CallOptions options) {
  auto stream = std::make_unique<ClientStream>(core_, options_, std::move(method), options.deadline);
  if (const Status begun = co_await begin(*stream, options.metadata); !begun.ok()) co_return fail(begun.error());
  co_return std::make_unique<ClientCallImpl>(std::move(stream));
}

Task<> ChannelImpl::stop() {
  stopping_ = true;
  changed_.notify_all();
  for (auto& connection : connections_) connection->stop(Error{Errc::closed, "the channel was stopped"});
  while (!connections_.empty()) co_await changed_.wait();
  co_await tasks_.cancel_and_join();
}

}  // namespace

std::unique_ptr<Channel> Channel::make(Core& core, net::Network& network, net::Address address, ChannelOptions options) {
  return std::make_unique<ChannelImpl>(core, network, std::move(address), std::move(options));
}

}  // namespace skerry::rpc
