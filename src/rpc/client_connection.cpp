// SPDX-License-Identifier: Apache-2.0
#include "rpc/client_connection.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "rpc/header_fields.hpp"

namespace skerry::rpc {
namespace {

std::string_view text(const std::uint8_t* bytes, std::size_t length) { return {reinterpret_cast<const char*>(bytes), length}; }

// What a server says when it leaves is shown to people.
std::string printable_text(std::string_view said) {
  constexpr std::size_t shown_max = 256;
  std::string shown(said.substr(0, shown_max));
  std::ranges::replace_if(shown, [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return shown;
}

}  // namespace

// What nghttp2 tells, translated. None of these resumes a coroutine.
struct ClientConnection::Callbacks {
  static ClientConnection& self(void* user) { return *static_cast<ClientConnection*>(user); }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_length,
                    const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* user) {
    if (ClientStream* call = self(user).call(frame->hd.stream_id)) {
      call->take_header(text(name, name_length), text(value, value_length));
    }
    return 0;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t length,
                  void* user) {
    auto& connection = self(user);
    connection.took_data(length);
    if (ClientStream* call = connection.call(stream)) call->take_data(text(bytes, length));
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& connection = self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      connection.going_away_ = true;
      connection.farewell_ = printable_text(text(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
      connection.fewer_pings_ = connection.farewell_ == "too_many_pings";
      connection.refused_ = frame->goaway.error_code == NGHTTP2_INADEQUATE_SECURITY;
    } else if (frame->hd.type == NGHTTP2_HEADERS) {
      if (ClientStream* call = connection.call(frame->hd.stream_id)) call->end_headers();
    }
    return 0;
  }
  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t http2_error, void* user) {
    ClientStream* call = self(user).call(stream);
    if (call == nullptr) return 0;
    self(user).carry(stream, nullptr);
    call->stream_closed(http2_error);
    return 0;
  }
  // The call may have been destroyed since it queued something, so it is looked up, not taken from the source.
  static ssize_t read_request(nghttp2_session*, std::int32_t stream, std::uint8_t*, std::size_t length_max, std::uint32_t* flags,
                              nghttp2_data_source*, void* user) {
    ClientStream* call = self(user).call(stream);
    if (call == nullptr) return NGHTTP2_ERR_DEFERRED;   // its reset is on the way
    const ClientStream::Part part = call->next_part(length_max);
    if (part.length == 0 && !part.last) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (part.last) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(part.length);
  }
  static int write_request(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length,
                           nghttp2_data_source*, void* user) {
    constexpr std::size_t head_bytes = 9;
    auto& connection = self(user);
    if (!connection.has_room()) return NGHTTP2_ERR_WOULDBLOCK;
    ClientStream* call = connection.call(frame->hd.stream_id);
    if (call == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    connection.out().append(text(head, head_bytes));
    connection.out().append(call->take_part(length));
    return 0;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* callbacks = nullptr;
    SKERRY_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
    set_callbacks(callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, write_request);
    return callbacks;
  }
};

ClientConnection::ClientConnection(Core& core, TaskScope& scope, std::unique_ptr<net::Stream> stream,
                                   const ChannelOptions& options, Duration keepalive_interval)
    : Http2Connection(core, scope, std::move(stream)), options_(options), keepalive_interval_(keepalive_interval) {
  open_session();
}

ClientConnection::~ClientConnection() { detach_calls(); }

void ClientConnection::open_session() {
  nghttp2_session_callbacks* callbacks = Callbacks::make();
  nghttp2_option* option = nullptr;
  SKERRY_ASSERT(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session* session = nullptr;
  SKERRY_ASSERT(nghttp2_session_client_new2(&session, callbacks, this, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  adopt(session);
  // The last one also spares this side the tree of priorities of RFC 7540: each stream is one of equals.
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(client_stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 64 << 10},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  SKERRY_ASSERT(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  SKERRY_ASSERT(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, connection_window_bytes) == 0);
}

Task<Error> ClientConnection::run() {
  send_soon();
  core().timers().arm(*this, core().now() + keepalive_interval_);
  Error why = co_await receive_all();
  if (!farewell_.empty()) why.text = "it said: " + farewell_;
  if (refused_) why.code = Errc::invalid_argument;
  Timer::cancel();
  for (ClientStream& call : calls_) call.connection_lost(why);
  before_send();   // those who wait for them go on, and may destroy them
  detach_calls();
  co_await writes_ended();
  co_return why;
}

void ClientConnection::detach_calls() {
  while (!calls_.empty()) {
    ClientStream& call = calls_.front();
    calls_.pop_front();
    call.detach();
  }
}

Result<> ClientConnection::submit(ClientStream& call, const Metadata& metadata) {
  FieldList fields;
  fields.add_constant(":method", "POST");
  fields.add_constant(":scheme", secure() ? "https" : "http");
  fields.add_borrowed(":path", call.method());
  fields.add_constant(":authority", options_.authority);
  fields.add_constant("te", "trailers");
  fields.add_constant("content-type", "application/grpc");
  if (call.deadline() != no_deadline) fields.add("grpc-timeout", wire::format_timeout(call.deadline() - core().now()));
  fields.add(metadata);
  nghttp2_data_provider provider;
  provider.source.ptr = nullptr;
  provider.read_callback = Callbacks::read_request;
  const std::int32_t stream = nghttp2_submit_request(session(), nullptr, fields.data(), fields.size(), &provider, &call);
  if (stream < 0) {
    going_away_ = true;
    return fail(Errc::unavailable, "no call can be added to the connection: " + std::string(nghttp2_strerror(stream)));
  }
  forget_lookup();
  call.begin(*this, stream);
  calls_.push_back(call);
  send_soon();
  return {};
}

void ClientConnection::resume(const ClientStream& call) {
  nghttp2_session_resume_data(session(), call.stream());
  send_soon();
}

void ClientConnection::reset(ClientStream& call) {
  if (closed()) return;
  carry(call.stream(), nullptr);
  nghttp2_submit_rst_stream(session(), NGHTTP2_FLAG_NONE, call.stream(), NGHTTP2_CANCEL);
  send_soon();
}

void ClientConnection::forget(ClientStream& call) {
  std::ranges::replace(ready_, &call, nullptr);
  std::ranges::replace(advancing_, &call, nullptr);
}

void ClientConnection::before_send() {
  while (!ready_.empty()) {
    advancing_.swap(ready_);
    for (std::size_t i = 0; i < advancing_.size(); ++i) {
      if (ClientStream* call = std::exchange(advancing_[i], nullptr)) call->advance();
    }
    advancing_.clear();
  }
}

void ClientConnection::on_due() {
  const Duration silent = core().now() - last_received();
  if (silent >= keepalive_interval_ + options_.keepalive_timeout) {
    return close(Error{Errc::unavailable, "no answer to a keepalive ping"});
  }
  const bool ping = silent >= keepalive_interval_;
  if (ping) {
    nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, nullptr);
    send_soon();
  }
  core().timers().arm(*this, ping ? core().now() + options_.keepalive_timeout : last_received() + keepalive_interval_);
}

}  // namespace skerry::rpc
