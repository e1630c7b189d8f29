// SPDX-License-Identifier: Apache-2.0
#include "rpc/server_call.hpp"

#include <google/protobuf/message_lite.h>

#include <array>

#include "rpc/call_span.hpp"
#include "rpc/header_fields.hpp"
#include "rpc/server_connection.hpp"

namespace skerry::rpc {
namespace {

// Headers above their limit are refused with a status, for a client that erred. One that goes on is reset: in HPACK a byte may
// stand for kilobytes, and looking at them costs far more than sending it.
constexpr std::size_t headers_looked_at_max = 4;   // times the limit
// A call itself, as it counts among what requests hold: its state here and in nghttp2.
constexpr std::size_t call_bytes = 2 << 10;

}  // namespace

ActiveCall::ActiveCall(Core& core, const ServerOptions& options)
    : Runner(core), core_(core), options_(options), inbound_(options.message_bytes_max), reader_(core), writer_(core) {}

void ActiveCall::begin(ServerConnection& connection, std::int32_t stream) {
  connection_ = &connection;
  stream_ = stream;
}

void ActiveCall::reset() {
  Timer::cancel();
  headers_done_ = false;
  inbound_.clear();
  account();
  outbound_taken_ = outbound_.size();
  account_replies();
  connection_ = nullptr;
  method_ = nullptr;
  observer_ = nullptr;
  span_.reset();
  deadline_ = no_deadline;
  path_ = {};
  authority_ = {};
  headers_.clear();
  header_bytes_ = taken_ = unreturned_ = outbound_taken_ = 0;
  metadata_.reset();
  constexpr std::size_t kept_bytes_max = 16 << 10;
  if (outbound_.capacity() > kept_bytes_max) outbound_ = Bytes();
  outbound_.clear();
  current_ = Bytes();
  caller_.reset();
  refused_.reset();
  http_status_ = 200;
  status_ = {};
  trailers_ = {};
  has_te_ = has_content_type_ = half_closed_ = handler_started_ = false;
  headers_sent_ = replies_deferred_ = ended_ = stream_closed_ = queued_ = false;
}

void ActiveCall::later() {
  if (queued_ || connection_ == nullptr) return;
  queued_ = true;
  connection_->advance_later(*this);
}

bool ActiveCall::take_header(nghttp2_rcbuf* name_text, nghttp2_rcbuf* value_text) {
  const nghttp2_vec name_bytes = nghttp2_rcbuf_get_buf(name_text), value_bytes = nghttp2_rcbuf_get_buf(value_text);
  const std::string_view name(reinterpret_cast<const char*>(name_bytes.base), name_bytes.len);
  const std::string_view value(reinterpret_cast<const char*>(value_bytes.base), value_bytes.len);
  const bool refused_before = header_bytes_ > options_.header_list_bytes_max;
  header_bytes_ += name.size() + value.size() + 32;
  if (header_bytes_ > options_.header_list_bytes_max) {
    headers_.clear();
    if (!refused_before) refuse_headers();
    return header_bytes_ <= headers_looked_at_max * options_.header_list_bytes_max;
  }
  if (!headers_done_) place_header(name_text, value_text, name, value);   // trailers of a request mean nothing to gRPC
  return true;
}

void ActiveCall::refuse_headers() {
  refuse({Code::resource_exhausted,
          "the request's headers exceed " + std::to_string(options_.header_list_bytes_max) +
              " bytes (header_list_bytes_max); send less metadata",
          {}});
}

void ActiveCall::place_header(nghttp2_rcbuf* name_text, nghttp2_rcbuf* value_text, std::string_view name,
                              std::string_view value) {
  if (name == ":path") {
    path_ = HeaderText(value_text);
  } else if (name == ":authority" || (name == "host" && authority_.view().empty())) {
    authority_ = HeaderText(value_text);
  } else if (name.front() == ':' || name == "te" || name == "content-type" || name.starts_with("grpc-")) {
    take_grpc_header(name, value);
  } else {
    if (wire::is_binary_name(name) && !decode_binary_values(value)) {
      return refuse({Code::invalid_argument, "the value of header " + std::string(name) + " is not base64", {}});
    }
    headers_.emplace_back(name_text, value_text);
  }
}

void ActiveCall::take_grpc_header(std::string_view name, std::string_view value) {
  if (name == ":method") {
    if (value != "POST") refuse_http(405);
  } else if (name == "content-type") {
    has_content_type_ = wire::is_grpc_content(value);
  } else if (name == "te") {
    has_te_ = value == "trailers";
  } else if (name == "grpc-timeout") {
    const auto timeout = wire::parse_timeout(value);
    if (!timeout)
      return refuse({Code::invalid_argument,
                     "grpc-timeout " + printable(value) +
                         " is not a number of at most "
                         "eight digits and one of H M S m u n",
                     {}});
    deadline_ = core_.now() + *timeout;
  } else if (name == "grpc-encoding") {
    if (value != "identity")
      refuse({Code::unimplemented,
              "messages compressed by " + printable(value) + " are not understood; send them uncompressed",
              {}});
  }   // other names that start with "grpc-" are gRPC's own and say nothing to us
}

void ActiveCall::end_headers() {
  headers_done_ = true;
  started_ = core_.now();
  if (!has_content_type_) refuse_http(415);
  if (!has_te_) {
    refuse({Code::internal,
            "the request lacks 'te: trailers': something between client and server does not pass on what "
            "gRPC needs",
            {}});
  }
  method_ = connection_->pool().find(path_.view());
  if (method_ == nullptr) {
    refuse({Code::unimplemented, "this server has no method " + printable(path_.view(), 256), {}});
  } else {
    observer_ = connection_->pool().observer(*method_);
    if (observer_ != nullptr) observer_->on_start();
  }
  if (options_.tracer != nullptr) [[unlikely]]
    begin_span();
  if (options_.guard != nullptr && !refused_) admit();
  account();
  later();
}

// Before the body: strangers have no claim on memory.
void ActiveCall::admit() {
  auto admitted = options_.guard->admit(*this);
  if (!admitted) return refuse(std::move(admitted).error());
  caller_ = *std::move(admitted);
}

void ActiveCall::recheck_caller() {
  if (caller_ == nullptr || ended_ || stream_closed_) return;
  if (auto revoked = options_.guard->revoke(*this)) end(*std::move(revoked));
}

void ActiveCall::refuse(Status status) {
  if (!refused_) refused_ = std::move(status);
}

void ActiveCall::refuse_http(int http_status) {
  if (http_status_ == 200) http_status_ = http_status;
  refuse({Code::internal, "not a gRPC request", {}});
}

void ActiveCall::take_data(BytesView bytes) {
  if (ended_ || refused_) return;
  unreturned_ += bytes.size();
  if (unreturned_ >= options_.stream_window_bytes) [[unlikely]]
    ++connection_->traffic().stalls_of_client;
  if (Status status = inbound_.feed(bytes); !status.ok()) refuse(std::move(status));
  account();
  if (method_ != nullptr && !method_->client_streams && inbound_.messages() > 1) {
    refuse({Code::unimplemented, "the method takes exactly one message; the client sent more", {}});
  }
  return_window();
  if (refused_ || (handler_started_ && inbound_.has_message())) later();
}

void ActiveCall::half_close() {
  half_closed_ = true;
  if (inbound_.mid_message()) refuse({Code::internal, "the request ended in the middle of a message", {}});
  later();
}

void ActiveCall::stream_closed() {
  if (std::exchange(stream_closed_, true)) return;
  if (!ended_) {
    connection_->call_ended();
    observe(Code::cancelled);
  }
  later();
}

// What a handler has taken counts until the call ends: it works on that, or waits for its turn with it.
void ActiveCall::account() {
  const std::size_t holds = headers_done_ ? call_bytes + header_bytes_ + inbound_.buffered() + taken_ : 0;
  if (holds == held_) return;
  const bool more = holds > held_;
  connection_->hold_requests_instead(std::exchange(held_, holds), holds);
  if (!more || connection_->may_hold_more_requests()) return;
  refuse({Code::resource_exhausted,
          "this server holds " + std::to_string(options_.buffered_bytes_max) +
              " bytes of requests under way (buffered_bytes_max); try again later",
          {}});
}

void ActiveCall::account_replies() {
  const std::size_t holds = queued();
  if (holds != replies_held_) connection_->hold_replies_instead(replies_held_, holds);
  replies_held_ = holds;
}

// What no complete message waits for may be sent anew: a slow handler stops its client, a large message does not.
void ActiveCall::return_window() {
  if (half_closed_ || stream_closed_) return;
  unreturned_ -= connection_->return_window(stream_, unreturned_, inbound_.complete_bytes(), options_.stream_window_bytes);
}

bool ActiveCall::ready_to_start() const {
  if (handler_started_ || ended_ || method_ == nullptr) return false;
  return method_->client_streams || half_closed_;
}

void ActiveCall::advance() {
  queued_ = false;
  if (stream_closed_) {
    if (running()) return Runner::cancel();   // on_end() comes back here
    return connection_->release(*this);
  }
  if (refused_ && !ended_) return end(*refused_);
  if (ready_to_start()) {
    if (core_.now() >= deadline_) return on_due();
    handler_started_ = true;
    Runner::start(method_->run(*this, *this, *this));
  } else if (reader_.occupied() && (inbound_.has_message() || half_closed_)) {
    reader_.wake();
  }
  if (queued() <= options_.reply_queue_bytes_max / 2) writer_.wake();
  if (deadline_ != no_deadline && !ended_ && !Timer::armed()) core_.timers().arm(*this, deadline_);
}

void ActiveCall::on_due() {
  end({Code::deadline_exceeded, "the deadline passed before the call had ended", {}});
  reset_if_stuck(NGHTTP2_CANCEL);
}

// While the client takes nothing, trailers would wait for ever behind the replies.
void ActiveCall::reset_if_stuck(std::uint32_t code) {
  if (queued() == 0 || stream_closed_) return;
  nghttp2_submit_rst_stream(connection_->session(), NGHTTP2_FLAG_NONE, stream_, code);
  connection_->send_soon();
}

void ActiveCall::end(Status status) {
  if (ended_ || stream_closed_) return;
  settle(std::move(status));
  Runner::cancel();
}

void ActiveCall::on_end(std::optional<Status> status) {
  if (stream_closed_) return later();
  if (!ended_) settle(status ? std::move(*status) : Status{Code::cancelled, "the call was cancelled", {}});
}

void ActiveCall::settle(Status status) {
  ended_ = true;
  connection_->call_ended();
  status_ = std::move(status);
  Timer::cancel();
  observe(status_.code);
  submit_end();
}

void ActiveCall::observe(Code code) {
  if (code != Code::ok && code != Code::cancelled) ++connection_->traffic().streams_failed;
  if (span_ != nullptr) [[unlikely]]
    end_span(code);
  if (observer_ != nullptr) std::exchange(observer_, nullptr)->on_end(code, core_.clock().now() - started_);
}

const net::PeerCertificate* ActiveCall::certificate() const { return connection_->peer_certificate(); }

std::optional<std::string_view> ActiveCall::header(std::string_view name) const {
  for (const auto& [known, value] : headers_) {
    if (known.view() == name) return value.view();
  }
  return std::nullopt;
}

// Unknown methods are not recorded: their names are a stranger's.
void ActiveCall::begin_span() {
  if (method_ == nullptr) return;
  const auto parent = header(traceparent_name);
  const auto caller = parent ? parse_traceparent(*parent, header(tracestate_name).value_or("")) : std::nullopt;
  span_ = options_.tracer->begin(method_->name.substr(1), Span::Kind::server, caller, core_.clock().now());
}

void ActiveCall::end_span(Code code) {
  describe_call(*span_, method_->name, code, status_.message);
  span_->set("network.peer.address", peer().host);
  span_->end = core_.clock().now();
  options_.tracer->record(std::move(*span_));
  span_.reset();
}

void ActiveCall::record_stages(const WriteStages& stages) {
  if (span_ != nullptr) skerry::record_stages(*options_.tracer, *span_, stages);
}

net::Address ActiveCall::peer() const { return connection_->peer(); }

const Metadata& ActiveCall::metadata() const {
  if (metadata_) return *metadata_;
  metadata_.emplace();
  for (const auto& [name, value] : headers_) add_field(*metadata_, name.view(), value.view());
  return *metadata_;
}

void ActiveCall::add_trailer(std::string name, std::string value) {
  SKERRY_ASSERT(is_metadata_name(name) && (wire::is_binary_name(name) || is_metadata_value(value)));
  trailers_.add(std::move(name), std::move(value));
}

}  // namespace skerry::rpc
