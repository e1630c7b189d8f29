// SPDX-License-Identifier: Apache-2.0
#include "rpc/client_stream.hpp"

#include <google/protobuf/message_lite.h>

#include <charconv>

#include "rpc/client_connection.hpp"
#include "rpc/header_fields.hpp"
#include "rpc/methods.hpp"

namespace skerry::rpc {
namespace {

constexpr std::size_t request_queue_bytes_max = 64 << 10;   // above it write() waits
constexpr std::size_t status_text_bytes_max = 64 << 10;     // of what a server says in its trailers

std::optional<int> to_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// gRPC's table "HTTP to gRPC status code mapping", for answers that are not gRPC.
Code code_of_http(int http_status) {
  switch (http_status) {
    case 400: return Code::internal;
    case 401: return Code::unauthenticated;
    case 403: return Code::permission_denied;
    case 404: return Code::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return Code::unavailable;
    default: return Code::unknown;
  }
}

Code code_of_reset(std::uint32_t http2_error) {
  switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM: return Code::unavailable;
    case NGHTTP2_CANCEL: return Code::cancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM: return Code::resource_exhausted;
    case NGHTTP2_INADEQUATE_SECURITY: return Code::permission_denied;
    default: return Code::internal;
  }
}

}  // namespace

ClientStream::ClientStream(Core& core, const ChannelOptions& options, std::string method, Deadline deadline)
    : core_(core), options_(options), method_(std::move(method)), deadline_(deadline), inbound_(options.message_bytes_max),
      reader_(core), writer_(core), finisher_(core) {
  if (deadline_ != no_deadline) core_.timers().arm(*this, deadline_);
}

ClientStream::~ClientStream() {
  cancel({Code::cancelled, "the call was dropped", {}});
  if (queued_ && connection_ != nullptr) connection_->forget(*this);
}

void ClientStream::begin(ClientConnection& connection, std::int32_t stream) {
  connection_ = &connection;
  stream_ = stream;
}

void ClientStream::later() {
  if (queued_ || connection_ == nullptr) return;
  queued_ = true;
  connection_->advance_later(*this);
}

void ClientStream::cancel(Status status) {
  if (status_) return;
  if (connection_ != nullptr) connection_->reset(*this);
  end(std::move(status));
}

void ClientStream::end(Status status) {
  if (status_) return;
  status_ = std::move(status);
  Timer::cancel();
  later();
}

void ClientStream::on_due() {
  cancel({Code::deadline_exceeded, "no answer to " + method_ + " from " + options_.authority + " before the deadline", {}});
}

void ClientStream::take_header(std::string_view name, std::string_view value) {
  if (name == ":status") {
    http_status_ = to_number(value).value_or(0);
  } else if (name == "content-type") {
    is_grpc_ = wire::is_grpc_content(value);
  } else if (name == "grpc-status") {
    grpc_status_ = to_number(value);
  } else if (name == "grpc-message") {
    grpc_message_ = wire::percent_decode(value.substr(0, status_text_bytes_max));
  } else if (name == "grpc-status-details-bin") {
    grpc_details_ = wire::base64_decode(value).value_or("");
  }
}

void ClientStream::end_headers() {
  if (http_status_ / 100 == 1) return;   // informational: the answer is still to come
  if (grpc_status_ || (http_status_ == 200 && is_grpc_)) return;
  const std::string what = http_status_ == 200 ? "not gRPC" : "HTTP status " + std::to_string(http_status_);
  cancel({http_status_ == 200 ? Code::unknown : code_of_http(http_status_),
          options_.authority + " answered " + method_ + " with " + what,
          {}});
}

void ClientStream::take_data(BytesView bytes) {
  if (status_) return;
  unreturned_ += bytes.size();
  if (Status status = inbound_.feed(bytes); !status.ok()) return cancel(std::move(status));
  if (discarding_) {
    while (inbound_.has_message()) inbound_.pop();
  }
  unreturned_ -= connection_->return_window(stream_, unreturned_, inbound_.complete_bytes(), client_stream_window_bytes);
  if (reader_.occupied() && inbound_.has_message()) later();
}

void ClientStream::message_taken() {
  inbound_.pop();
  if (connection_ == nullptr || status_) return;
  unreturned_ -= connection_->return_window(stream_, unreturned_, inbound_.complete_bytes(), client_stream_window_bytes);
}

void ClientStream::stream_closed(std::uint32_t http2_error) { end(closing_status(http2_error)); }

Status ClientStream::closing_status(std::uint32_t http2_error) const {
  if (grpc_status_) {
    const bool known = *grpc_status_ >= 0 && *grpc_status_ <= static_cast<int>(Code::unauthenticated);
    if (*grpc_status_ == 0 && inbound_.mid_message()) {
      return {Code::internal, options_.authority + " ended its answer to " + method_ + " inside a message", {}};
    }
    return {known ? static_cast<Code>(*grpc_status_) : Code::unknown, grpc_message_, grpc_details_, true};
  }
  // A server that goes away refuses what it has not begun; such a call can be made again elsewhere.
  if (connection_ != nullptr && connection_->going_away() && http_status_ == 0) {
    const std::string& said = connection_->farewell();
    return {connection_->refused() ? Code::failed_precondition : Code::unavailable,
            options_.authority + " is going away and has not begun " + method_ + (said.empty() ? "" : ": " + said),
            {},
            true};
  }
  if (http2_error == NGHTTP2_NO_ERROR) {
    return {Code::internal, options_.authority + " ended its answer to " + method_ + " without a status", {}};
  }
  return {code_of_reset(http2_error), options_.authority + " reset " + method_ + ": " + nghttp2_http2_strerror(http2_error), {}};
}

void ClientStream::connection_lost(const Error& why) {
  const Code code = why == Errc::invalid_argument ? Code::failed_precondition : Code::unavailable;
  end({code, "the connection to " + options_.authority + " was lost: " + why.message(), {}});
}

void ClientStream::advance() {
  queued_ = false;
  const bool reader = reader_.occupied() && (inbound_.has_message() || status_);
  const bool writer = writer_.occupied() && (queued() <= request_queue_bytes_max / 2 || status_);
  const bool finisher = finisher_.occupied() && status_;
  if (reader + writer + finisher > 1) later();   // whoever is woken first may destroy this
  if (writer) {
    writer_.wake();
  } else if (reader) {
    reader_.wake();
  } else if (finisher) {
    finisher_.wake();
  }
}

Result<> ClientStream::queue(const google::protobuf::MessageLite& message) {
  if (status_) return fail(status_->ok() ? Error{Errc::closed, "the call has ended"} : status_->error());
  if (writing_done_) return fail(Errc::closed, "the call's requests were finished before");
  if (outbound_taken_ == outbound_.size()) outbound_.clear(), outbound_taken_ = 0;
  TRYV(append_message(outbound_, message));
  if (connection_ != nullptr) connection_->resume(*this);
  return {};
}

Task<Result<>> ClientStream::write(const google::protobuf::MessageLite& message) {
  CO_TRYV(queue(message));
  while (queued() > request_queue_bytes_max && !status_) co_await writer_.wait();
  if (status_ && !status_->ok()) co_return fail(status_->error());
  co_return Result<>();
}

void ClientStream::finish_writing() {
  if (std::exchange(writing_done_, true) || status_ || connection_ == nullptr) return;
  connection_->resume(*this);
}

Task<Result<bool>> ClientStream::read(google::protobuf::MessageLite& into) {
  while (!inbound_.has_message()) {
    if (status_) co_return false;
    co_await reader_.wait();
  }
  Result<> parsed = parse(inbound_.front(), into);
  message_taken();
  if (!parsed) {
    const std::string text = options_.authority + " answered " + method_ + " wrongly: " + parsed.error().message();
    cancel({Code::internal, text, {}});
    co_return fail(Errc::corrupt, text);
  }
  co_return true;
}

Task<Result<std::optional<BytesView>>> ClientStream::next() {
  while (!inbound_.has_message()) {
    if (status_) co_return std::nullopt;
    co_await reader_.wait();
  }
  current_.assign(inbound_.front());
  message_taken();
  co_return current_;
}

Task<Status> ClientStream::ended() {
  while (!status_) co_await finisher_.wait();
  co_return *status_;
}

ClientStream::Part ClientStream::next_part(std::size_t length_max) {
  const std::size_t length = std::min(queued(), length_max);
  return {length, writing_done_ && length == queued()};
}

BytesView ClientStream::take_part(std::size_t length) {
  const BytesView part = BytesView(outbound_).substr(outbound_taken_, length);
  outbound_taken_ += length;
  if (writer_.occupied() && queued() <= request_queue_bytes_max / 2) later();
  return part;
}

}  // namespace skerry::rpc
