// SPDX-License-Identifier: Apache-2.0
#include "rpc/testing/echo_service.hpp"

#include "base/assert.hpp"

namespace skerry::test {
namespace {

void describe(const rpc::ServerCall& call, const EchoRequest& request, EchoReply& reply) {
  reply.set_text(request.text());
  reply.set_payload(request.payload());
  for (const auto& [name, value] : call.metadata().fields()) (*reply.mutable_metadata())[name] = value;
  reply.set_has_deadline(call.deadline() != no_deadline);
}

rpc::Status wanted_status(rpc::ServerCall& call, const EchoRequest& request) {
  call.add_trailer("echo-trailer", request.text().empty() ? "none" : "some");
  call.add_trailer("echo-trailer-bin", std::string("\0\xFF\x01", 3));
  const auto code = static_cast<rpc::Code>(request.status_code());
  if (request.error_reason().empty()) return {code, request.status_message(), {}};
  return rpc::Status::with_info(code, request.status_message(), {"test.skerry", request.error_reason(), {{"shard", "7"}}});
}

}  // namespace

// Counts a handler, and whether it was cancelled: that is, left before it was done.
class EchoService::Run {
 public:
  explicit Run(Statistics& statistics) : statistics_(statistics) { statistics_.set_started(statistics_.started() + 1); }
  ~Run() {
    if (!done_) statistics_.set_cancelled(statistics_.cancelled() + 1);
  }
  rpc::Status done(rpc::Status status) {
    done_ = true;
    return status;
  }

 private:
  Statistics& statistics_;
  bool done_ = false;
};

Task<rpc::Status> EchoService::unary(rpc::ServerCall& call, const EchoRequest& request, EchoReply& reply) {
  Run run(statistics_);
  if (request.delay_ms() > 0) co_await core_.sleep_for(std::chrono::milliseconds(request.delay_ms()));
  describe(call, request, reply);
  if (request.reply_bytes() > 0) reply.set_payload(std::string(request.reply_bytes(), 'r'));
  co_return run.done(wanted_status(call, request));
}

Task<rpc::Status> EchoService::server_stream(rpc::ServerCall& call, const EchoRequest& request,
                                             rpc::Replies<EchoReply>& replies) {
  Run run(statistics_);
  EchoReply reply;
  describe(call, request, reply);
  if (request.reply_bytes() > 0) reply.set_payload(std::string(request.reply_bytes(), 'r'));
  for (std::uint32_t i = 0; i < request.replies(); ++i) {
    if (request.delay_ms() > 0) co_await core_.sleep_for(std::chrono::milliseconds(request.delay_ms()));
    reply.set_index(i);
    if (const auto written = co_await replies.write(reply); !written) {
      co_return run.done(rpc::Status::from(written.error()));
    }
    statistics_.set_messages_written(statistics_.messages_written() + 1);
  }
  co_return run.done(wanted_status(call, request));
}

Task<rpc::Status> EchoService::client_stream(rpc::ServerCall& call, rpc::Requests<EchoRequest>& requests, EchoReply& reply) {
  Run run(statistics_);
  EchoRequest request;
  std::uint32_t count = 0;
  std::string text;
  for (;;) {
    const auto more = co_await requests.next(request);
    if (!more) co_return run.done(rpc::Status::from(more.error()));
    if (!*more) break;
    text += request.text();
    ++count;
  }
  describe(call, request, reply);
  reply.set_text(text);
  reply.set_index(count);
  co_return run.done(wanted_status(call, request));
}

Task<rpc::Status> EchoService::bidirectional(rpc::ServerCall& call, rpc::Requests<EchoRequest>& requests,
                                             rpc::Replies<EchoReply>& replies) {
  Run run(statistics_);
  EchoRequest request;
  for (std::uint32_t index = 0;; ++index) {
    const auto more = co_await requests.next(request);
    if (!more) co_return run.done(rpc::Status::from(more.error()));
    if (!*more) co_return run.done({});
    EchoReply reply;
    describe(call, request, reply);
    reply.set_index(index);
    if (const auto written = co_await replies.write(reply); !written) {
      co_return run.done(rpc::Status::from(written.error()));
    }
    if (request.status_code() != 0) co_return run.done(wanted_status(call, request));
  }
}

Task<rpc::Status> EchoService::slow_reader(rpc::ServerCall&, rpc::Requests<EchoRequest>& requests, EchoReply& reply) {
  Run run(statistics_);
  EchoRequest request;
  std::uint32_t delay_ms = 0;
  for (std::uint32_t count = 0;; ++count) {
    const auto more = co_await requests.next(request);
    if (!more) co_return run.done(rpc::Status::from(more.error()));
    reply.set_index(count);
    if (!*more) co_return run.done({});
    statistics_.set_messages_read(statistics_.messages_read() + 1);
    if (count == 0) delay_ms = request.delay_ms();
    if (delay_ms > 0) co_await core_.sleep_for(std::chrono::milliseconds(delay_ms));
  }
}

Task<rpc::Status> EchoService::get_statistics(rpc::ServerCall&, const StatisticsRequest&, Statistics& reply) {
  reply = statistics_;
  co_return rpc::Status();
}

void EchoService::add_to(rpc::Methods& methods) {
  const std::string service = "/skerry.test.Echo/";
  using rpc::Replies, rpc::Requests, rpc::ServerCall;
  methods.unary<EchoRequest, EchoReply>(service + "Unary", [this](ServerCall& call, const EchoRequest& request,
                                                                  EchoReply& reply) { return unary(call, request, reply); });
  methods.server_stream<EchoRequest, EchoReply>(
      service + "ServerStream", [this](ServerCall& call, const EchoRequest& request, Replies<EchoReply>& replies) {
        return server_stream(call, request, replies);
      });
  methods.client_stream<EchoRequest, EchoReply>(service + "ClientStream",
                                                [this](ServerCall& call, Requests<EchoRequest>& requests, EchoReply& reply) {
                                                  return client_stream(call, requests, reply);
                                                });
  methods.bidirectional<EchoRequest, EchoReply>(
      service + "Bidirectional", [this](ServerCall& call, Requests<EchoRequest>& requests, Replies<EchoReply>& replies) {
        return bidirectional(call, requests, replies);
      });
  methods.client_stream<EchoRequest, EchoReply>(
      service + "SlowReader",
      [this](ServerCall& call, Requests<EchoRequest>& requests, EchoReply& reply) { return slow_reader(call, requests, reply); });
  methods.unary<StatisticsRequest, Statistics>(service + "GetStatistics",
                                               [this](ServerCall& call, const StatisticsRequest& request, Statistics& reply) {
                                                 return get_statistics(call, request, reply);
                                               });
  const auto checked = methods.service(*EchoReply::descriptor()->file()->FindServiceByName("Echo"), {"skerry.test.alias.Echo"});
  SKERRY_ASSERT(checked.has_value());
}

}  // namespace skerry::test
