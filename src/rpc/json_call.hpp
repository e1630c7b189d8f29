// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http_server.hpp"
#include "rpc/call_guard.hpp"
#include "rpc/methods.hpp"
#include "runtime/tracing.hpp"

namespace skerry::rpc {

// A call that came as a request of HTTP/1.1 with a body of JSON, as handlers see calls. Replies go out as they come where the
// method streams, otherwise at the end. Lives on the stack of the coroutine that answers the request.
class JsonCall final : public ServerCall, public MessageSource, public MessageSink {
 public:
  JsonCall(const Method& method, const net::HttpRequest& request, net::HttpReply& reply);

  // Before the handler is run: what it will see, or how to refuse the request.
  Status read(TimePoint now, Duration unary_timeout, std::size_t messages_max);
  void set_authority(std::string authority) { authority_ = std::move(authority); }
  void set_caller(CallerPtr caller) { caller_ = std::move(caller); }
  void set_span(std::unique_ptr<Span> span, Tracer* tracer) {
    span_ = std::move(span);
    tracer_ = tracer;
  }
  // Afterwards: what has not been sent, and how it ended.
  Task<> finish(Status status);

  const Metadata& metadata() const override { return metadata_; }
  std::string_view method() const override { return method_.name; }
  std::string_view authority() const override { return authority_; }
  Deadline deadline() const override { return deadline_; }
  net::Address peer() const override { return request_.peer; }
  void add_trailer(std::string, std::string) override {}   // nothing in HTTP/1.1 that scripts would look at
  const auth::Caller* caller() const override { return caller_.get(); }
  const net::PeerCertificate* certificate() const override { return request_.certificate; }
  Span* span() const override { return span_.get(); }
  void record_stages(const WriteStages& stages) override {
    if (span_ != nullptr) skerry::record_stages(*tracer_, *span_, stages);
  }

  Task<Result<std::optional<BytesView>>> next() override;
  Task<Result<>> write(const google::protobuf::MessageLite& message) override;

 private:
  Status read_metadata(TimePoint now);
  Task<Result<>> write_line(std::string line);

  const Method& method_;
  const net::HttpRequest& request_;
  net::HttpReply& reply_;
  Metadata metadata_;
  std::string authority_;
  Deadline deadline_ = no_deadline;
  CallerPtr caller_;
  std::unique_ptr<Span> span_;
  Tracer* tracer_ = nullptr;
  std::vector<std::string_view> messages_;   // of the body
  std::size_t taken_ = 0;
  Bytes current_;
  std::optional<std::string> answer_;   // of a method with one
};

}   // namespace skerry::rpc
