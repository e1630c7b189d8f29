// SPDX-License-Identifier: Apache-2.0
#include "rpc/server_connection.hpp"

#include <array>

#include "base/assert.hpp"

namespace skerry::rpc {
namespace {

constexpr std::string_view keepalive_payload = "keepaliv", drain_payload = "draining";
constexpr int ping_strikes_max = 2;   // as gRPC's own servers
// A client that cancels calls faster than this, after a burst, is sent away: opening and resetting streams is cheap for it.
constexpr std::uint64_t resets_burst = 10'000, resets_a_second = 1'000;

const std::uint8_t* payload(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

}  // namespace

CallPool::CallPool(Core& core, const Methods& methods, const ServerOptions& options)
    : core_(core), methods_(methods), options_(options), observers_(methods.all().size()), requests_(options.buffered_bytes_max),
      replies_(options.replies_bytes_max) {
  if (options.stats == nullptr) return;
  for (const auto& [name, method] : methods.all()) observers_[method.index] = options.stats->observer(name);
}

std::unique_ptr<ActiveCall> CallPool::take() {
  if (unused_.empty()) return std::make_unique<ActiveCall>(core_, options_);
  auto call = std::move(unused_.back());
  unused_.pop_back();
  return call;
}

void CallPool::give_back(std::unique_ptr<ActiveCall> call) {
  call->reset();
  if (unused_.size() < kept_max) unused_.push_back(std::move(call));
}

const Method* CallPool::find(std::string_view path) {
  if (last_found_ == nullptr || last_found_->name != path) {
    const Method* found = methods_.find(path);
    if (found == nullptr) return nullptr;
    last_found_ = found;
  }
  return last_found_;
}

// What nghttp2 tells, translated. None of these resumes a coroutine or calls back into the session's receiving or sending.
struct ServerConnection::Callbacks {
  static ServerConnection& self(void* user) { return *static_cast<ServerConnection*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self(user).begin_call(frame->hd.stream_id);
    }
    return 0;
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t,
                    void* user) {
    ActiveCall* call = self(user).call(frame->hd.stream_id);
    return call == nullptr || call->take_header(name, value) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t length,
                  void* user) {
    auto& connection = self(user);
    connection.took_data(length);
    if (ActiveCall* call = connection.call(stream)) call->take_data({reinterpret_cast<const char*>(bytes), length});
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& connection = self(user);
    if (frame->hd.type == NGHTTP2_PING) {
      connection.take_ping(*frame);
      return 0;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    ActiveCall* call = connection.call(frame->hd.stream_id);
    if (call == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) call->end_headers();
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) call->half_close();
    return 0;
  }
  // A client that still sends after its call was answered is told to stop.
  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    const ActiveCall* call = self(user).call(frame->hd.stream_id);
    if (call == nullptr || call->half_closed()) return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
  }
  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t, void* user) {
    ActiveCall* call = self(user).call(stream);
    if (call == nullptr) return 0;
    self(user).carry(stream, nullptr);
    call->stream_closed();
    return 0;
  }
  static ssize_t read_reply(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t length_max, std::uint32_t* flags,
                            nghttp2_data_source* source, void*) {
    auto& call = *static_cast<ActiveCall*>(source->ptr);
    const ActiveCall::Part part = call.next_part(length_max);
    if (part.length == 0 && !part.last) {
      call.replies_deferred();
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (part.last) {
      *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
      call.submit_trailers();
    }
    return static_cast<ssize_t>(part.length);
  }
  static int write_reply(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t length,
                         nghttp2_data_source* source, void* user) {
    constexpr std::size_t head_bytes = 9;
    auto& connection = self(user);
    if (!connection.has_room()) return NGHTTP2_ERR_WOULDBLOCK;
    connection.replied();
    connection.out().append(reinterpret_cast<const char*>(head), head_bytes);
    connection.out().append(static_cast<ActiveCall*>(source->ptr)->take_part(length));
    return 0;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* callbacks = nullptr;
    SKERRY_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
    set_callbacks(callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, write_reply);
    return callbacks;
  }
};

ServerConnection::ServerConnection(TaskScope& scope, CallPool& pool, std::unique_ptr<net::Stream> stream, std::uint64_t id)
    : Http2Connection(pool.core(), scope, std::move(stream)), pool_(pool), id_(id), accepted_(pool.core().now()),
      ended_(pool.core()) {
  pool_.connection_opened();
  open_session();
}

ServerConnection::~ServerConnection() {
  calls_.clear_and_dispose(std::default_delete<ActiveCall>());
  pool_.connection_closed();
}

void ServerConnection::open_session() {
  nghttp2_session_callbacks* callbacks = Callbacks::make();
  nghttp2_option* option = nullptr;
  SKERRY_ASSERT(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_stream_reset_rate_limit(option, resets_burst, resets_a_second);
  nghttp2_session* session = nullptr;
  SKERRY_ASSERT(nghttp2_session_server_new2(&session, callbacks, this, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  adopt(session);

  const ServerOptions& options = pool_.options();
  const std::array<nghttp2_settings_entry, 4> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<std::uint32_t>(options.streams_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(options.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(options.header_list_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  SKERRY_ASSERT(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  SKERRY_ASSERT(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, connection_window_bytes) == 0);
}

nghttp2_data_provider ServerConnection::provider(ActiveCall& call) {
  nghttp2_data_provider provider;
  provider.source.ptr = &call;
  provider.read_callback = Callbacks::read_reply;
  return provider;
}

Task<> ServerConnection::serve() {
  send_soon();   // the settings
  core().timers().arm(*this, core().now() + pool_.options().keepalive_interval);
  co_await receive_all();
  Timer::cancel();
  for (ActiveCall& call : calls_) call.stream_closed();
  take_up_postponed();
  before_send();
  while (!calls_.empty()) co_await ended_.wait();
  co_await writes_ended();
}

void ServerConnection::begin_call(std::int32_t stream) {
  // Streams that were reset still have handlers that unwind: those count too.
  if (calls_.size() >= 2 * pool_.options().streams_max) {
    nghttp2_submit_rst_stream(session(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_REFUSED_STREAM);
    return;
  }
  ActiveCall* call = pool_.take().release();
  calls_.push_back(*call);
  ++traffic().streams;
  ++unanswered_;
  call->begin(*this, stream);
  carry(stream, call);
}

void ServerConnection::release(ActiveCall& call) {
  calls_.erase(calls_.iterator_to(call));
  pool_.give_back(std::unique_ptr<ActiveCall>(&call));
  if (calls_.empty()) ended_.wake_all();
}

// When every call was answered at once, or several were, there is nothing to wait for: the client may work on the replies while
// this core serves other calls. Otherwise the end of the turn brings more for the same write.
void ServerConnection::after_receive() {
  constexpr std::size_t worth_a_write = 4;
  answered_ = 0;
  advance_in_time();
  if ((unanswered_ == 0 || answered_ >= worth_a_write) && !closed()) send_now();
}

// Of a long row of calls those that would make the turn long wait for the next one. Not for its end: calls begin in handlers of
// the loop.
void ServerConnection::advance_in_time() {
  take_up_postponed();
  while (!ready_.empty()) {
    advancing_.swap(ready_);
    std::size_t advanced = 0;
    do {
      advancing_[advanced++]->advance();
    } while (advanced < advancing_.size() && !core().yield_due());
    postponed_.assign(advancing_.begin() + static_cast<std::ptrdiff_t>(advanced), advancing_.end());
    advancing_.clear();
    if (!postponed_.empty()) return;
  }
}

void ServerConnection::take_up_postponed() {
  ready_.insert(ready_.begin(), postponed_.begin(), postponed_.end());
  postponed_.clear();
}

void ServerConnection::before_send() {
  // Advancing one call may make others ready, and they may join the list while it is gone through.
  while (!ready_.empty()) {
    advancing_.swap(ready_);
    for (ActiveCall* call : advancing_) call->advance();
    advancing_.clear();
  }
}

void ServerConnection::take_ping(const nghttp2_frame& frame) {
  const std::string_view opaque(reinterpret_cast<const char*>(frame.ping.opaque_data), sizeof frame.ping.opaque_data);
  if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) {
    if (opaque == drain_payload) finish_drain();
    return;
  }
  const bool too_soon = last_ping_ != TimePoint::min() && core().now() - last_ping_ < pool_.options().keepalive_min_interval;
  last_ping_ = core().now();
  if (too_soon && ++ping_strikes_ > ping_strikes_max) {
    go_away(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");   // the word that gRPC's clients know
  }
}

void ServerConnection::go_away(std::uint32_t code, std::string_view reason) {
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session()), code, payload(reason),
                        reason.size());
  send_soon();
}

// In two steps, so that requests on their way when the first GOAWAY arrives are still answered.
void ServerConnection::drain() {
  if (draining_ || closed()) return;
  draining_ = true;
  nghttp2_submit_shutdown_notice(session());
  nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, payload(drain_payload));
  send_soon();
}

void ServerConnection::finish_drain() {
  if (!draining_ || drained_) return;
  drained_ = true;
  go_away(NGHTTP2_NO_ERROR, "the server is stopping");
}

ConnectionFigures ServerConnection::figures() const {
  const TimePoint now = core().now();
  return {.id = id_,
          .peer = peer(),
          .age = now - accepted_,
          .idle = now - last_received(),
          .streams_open = calls_.size(),
          .traffic = traffic()};
}

void ServerConnection::cut(const Status& status) {
  if (closed()) return;
  for (ActiveCall& call : calls_) call.end(status);
  finish_drain();
  send_now();
  close(Error{Errc::closed, status.message});
}

void ServerConnection::recheck_callers() {
  if (closed()) return;
  for (ActiveCall& call : calls_) call.recheck_caller();
}

void ServerConnection::on_due() {
  const ServerOptions& options = pool_.options();
  const Duration silent = core().now() - last_received();
  if (silent >= options.keepalive_interval + options.keepalive_timeout) {
    return close(Error{Errc::closed, "the client has been silent for too long"});
  }
  const bool ping = silent >= options.keepalive_interval;
  if (ping) {
    nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, payload(keepalive_payload));
    send_soon();
  }
  const Duration wait = ping ? options.keepalive_timeout : options.keepalive_interval;
  core().timers().arm(*this, (ping ? core().now() : last_received()) + wait);
}

}   // namespace skerry::rpc
