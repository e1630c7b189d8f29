// SPDX-License-Identifier: Apache-2.0
// The two directions of messages of a call on the server.
#include <google/protobuf/message_lite.h>

#include "rpc/header_fields.hpp"
#include "rpc/server_call.hpp"
#include "rpc/server_connection.hpp"

namespace skerry::rpc {

void ActiveCall::message_taken() {
  ++connection_->traffic().messages_received;
  if (observer_ != nullptr) {
    ++observer_->messages.received;
    observer_->messages.bytes_received += inbound_.front().size();
  }
  taken_ = inbound_.front().size() + (method_->client_streams ? 0 : taken_);
  inbound_.pop();
  account();
  if (!stream_closed_) return_window();
}

std::optional<Result<bool>> ActiveCall::try_next_into(google::protobuf::MessageLite& into) {
  if (inbound_.has_message()) {
    Result<> parsed = parse(inbound_.front(), into);
    message_taken();
    if (!parsed) return fail(std::move(parsed).error());
    return true;
  }
  if (ended_ || stream_closed_) return fail(Errc::closed, "the call has ended");
  if (half_closed_) return false;
  return std::nullopt;
}

Task<Result<bool>> ActiveCall::next_into(google::protobuf::MessageLite& into) {
  for (;;) {
    if (auto taken = try_next_into(into)) co_return std::move(*taken);
    co_await reader_.wait();
  }
}

Task<Result<std::optional<BytesView>>> ActiveCall::next() {
  for (;;) {
    if (inbound_.has_message()) {
      current_.assign(inbound_.front());
      message_taken();
      co_return current_;
    }
    if (ended_ || stream_closed_) co_return fail(Errc::closed, "the call has ended");
    if (half_closed_) co_return std::nullopt;
    co_await reader_.wait();
  }
}

Result<> ActiveCall::begin_reply() {
  if (ended_ || stream_closed_) return fail(Errc::closed, "the call has ended");
  if (!connection_->may_hold_more_replies()) return refuse_reply();
  if (outbound_taken_ == outbound_.size()) outbound_.clear(), outbound_taken_ = 0;
  return {};
}

void ActiveCall::reply_queued(std::size_t before) {
  ++connection_->traffic().messages_sent;
  if (observer_ != nullptr) {
    ++observer_->messages.sent;
    observer_->messages.bytes_sent += outbound_.size() - before - wire::prefix_bytes;
  }
  account_replies();
  if (!headers_sent_) {
    headers_sent_ = true;
    auto provider = connection_->provider(*this);
    nghttp2_submit_response(connection_->session(), stream_, response_fields.data(), response_fields.size(), &provider);
  } else {
    resume_replies();
  }
  connection_->send_soon();
}

Result<> ActiveCall::queue(const google::protobuf::MessageLite& message) {
  TRYV(begin_reply());
  const std::size_t before = outbound_.size();
  TRYV(append_message(outbound_, message));
  reply_queued(before);
  return {};
}

bool ActiveCall::try_write_encoded(BytesView message) {
  if (!begin_reply()) return false;
  const std::size_t before = outbound_.size();
  wire::append_prefix(outbound_, message.size());
  outbound_.append(message);
  reply_queued(before);
  return true;
}

// Ends the call. The handler learns it from the failure and returns by itself.
Result<> ActiveCall::refuse_reply() {
  settle({Code::resource_exhausted,
          "this client leaves its replies untaken, and the server holds " + std::to_string(options_.replies_bytes_max) +
              " bytes of such (replies_bytes_max); read faster, or ask for less at a time",
          {}});
  reset_if_stuck(NGHTTP2_ENHANCE_YOUR_CALM);   // what gRPC's clients call resource_exhausted
  return fail(Errc::closed, "the call has ended");
}

bool ActiveCall::try_write(const google::protobuf::MessageLite& message) { return queue(message).has_value(); }

Task<Result<>> ActiveCall::room() {
  while (queued() > options_.reply_queue_bytes_max && !ended_ && !stream_closed_) co_await writer_.wait();
  co_return Result<>();
}

Task<Result<>> ActiveCall::write(const google::protobuf::MessageLite& message) {
  CO_TRYV(queue(message));
  while (queued() > options_.reply_queue_bytes_max && !ended_ && !stream_closed_) co_await writer_.wait();
  co_return Result<>();
}

ActiveCall::Part ActiveCall::next_part(std::size_t length_max) {
  const std::size_t length = std::min(queued(), length_max);
  return {length, ended_ && length == queued()};
}

void ActiveCall::resume_replies() {
  if (std::exchange(replies_deferred_, false)) nghttp2_session_resume_data(connection_->session(), stream_);
}

BytesView ActiveCall::take_part(std::size_t length) {
  const BytesView part = BytesView(outbound_).substr(outbound_taken_, length);
  outbound_taken_ += length;
  if (queued() > 0) note_stall(length);
  account_replies();
  if (writer_.occupied() && queued() <= options_.reply_queue_bytes_max / 2) later();
  return part;
}

// More is ready than this part, and the part ends where the client's window does: the rest waits for the client.
void ActiveCall::note_stall(std::size_t sending) {
  nghttp2_session* session = connection_->session();
  const auto size = static_cast<std::int64_t>(sending);
  if (nghttp2_session_get_stream_remote_window_size(session, stream_) <= size) {
    ++connection_->traffic().stalls_of_stream;
  } else if (nghttp2_session_get_remote_window_size(session) <= size) {
    ++connection_->traffic().stalls_of_connection;
  }
}

void ActiveCall::submit_end() {
  auto* session = connection_->session();
  connection_->send_soon();
  if (headers_sent_) {
    resume_replies();
    return;
  }
  headers_sent_ = true;
  if (http_status_ != 200) {
    const std::string status = std::to_string(http_status_);
    const nghttp2_nv field = make_field(":status", status);
    nghttp2_submit_response(session, stream_, &field, 1, nullptr);
    return;
  }
  FieldList fields(response_fields);
  fields.add_status(status_, trailers_);
  nghttp2_submit_response(session, stream_, fields.data(), fields.size(), nullptr);
}

void ActiveCall::submit_trailers() {
  FieldList fields;
  fields.add_status(status_, trailers_);
  nghttp2_submit_trailer(connection_->session(), stream_, fields.data(), fields.size());
}

}  // namespace skerry::rpc
