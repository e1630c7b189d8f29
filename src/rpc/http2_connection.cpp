// SPDX-License-Identifier: Apache-2.0
#include "rpc/http2_connection.hpp"

namespace skerry::rpc {
namespace {

// A turn writes at most this, so that one busy connection does not hold the others up.
constexpr std::size_t out_bytes_max = 256 << 10;
constexpr std::size_t worth_halving = 512;   // a few calls
constexpr std::size_t in_bytes_min = 16 << 10, in_bytes_max = 256 << 10;

// A record of TLS: its kind (an alert or a handshake), then its version.
bool is_tls(BytesView bytes) { return bytes.size() > 2 && (bytes[0] == 0x15 || bytes[0] == 0x16) && bytes[1] == 0x03; }

std::string why_not_http2(BytesView bytes, int error) {
  if (is_tls(bytes)) return "the other end speaks TLS, and this one does not: see that both do (tls://HOST:PORT)";
  return std::string("the other end broke the protocol: ") + nghttp2_strerror(error);
}

}  // namespace

Http2Connection::Http2Connection(Core& core, TaskScope& scope, std::unique_ptr<net::Stream> stream)
    : core_(core), scope_(scope), stream_(std::move(stream)), peer_(stream_->peer()), write_ended_(core),
      last_received_(core.now()) {}

Http2Connection::~Http2Connection() = default;

void Http2Connection::set_callbacks(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
}

ssize_t Http2Connection::on_send(nghttp2_session*, const std::uint8_t* data, std::size_t length, int, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (!connection.has_room()) return NGHTTP2_ERR_WOULDBLOCK;
  connection.out_.append(reinterpret_cast<const char*>(data), length);
  return static_cast<ssize_t>(length);
}

Task<Error> Http2Connection::receive_all() {
  in_.resize(in_bytes_min);
  while (!closed_) {
    const auto count = co_await stream_->read_some(in_);
    if (closed_) break;
    if (!count) {
      close(count.error());
      break;
    }
    if (*count == 0) {
      close(Error{Errc::closed, "the other end closed the connection"});
      break;
    }
    last_received_ = core_.now();
    traffic_.bytes_received += *count;
    const BytesView received(in_.data(), *count);
    // In two halves: the other end works on the answers to the first while this one works on the second.
    const std::size_t half = received.size() < worth_halving ? received.size() : received.size() / 2;
    if (!take(received.substr(0, half)) || !take(received.substr(half))) break;
    send_soon();
    while (behind() && !closed_) {
      co_await core_.yield();
      if (!closed_) after_receive();
    }
    adapt_buffer(*count);
  }
  co_return ended_;
}

// False when the connection has ended with that.
bool Http2Connection::take(BytesView bytes) {
  if (bytes.empty()) return true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (closed_) return false;
  if (taken < 0) {
    // What the session still has to say (a GOAWAY with the reason) is sent before the connection is closed.
    if (!writing_) {
      fill();
      stream_->try_write(out_);
    }
    close(Error{Errc::closed, why_not_http2(bytes, static_cast<int>(taken))});
    return false;
  }
  if (received_bytes_ > 0) nghttp2_session_consume_connection(session_.get(), std::exchange(received_bytes_, 0));
  after_receive();
  return !closed_;
}

std::size_t Http2Connection::return_window(std::int32_t stream, std::size_t unreturned, std::size_t held_back,
                                           std::size_t window) {
  const std::size_t returnable = unreturned - std::min(unreturned, held_back);
  if (returnable < window / 4) return 0;
  nghttp2_session_consume_stream(session_.get(), stream, returnable);
  send_soon();
  return returnable;
}

// Full reads double the buffer; many reads that need little of it halve it, so that idle connections cost little.
void Http2Connection::adapt_buffer(std::size_t read) {
  constexpr int small_reads_max = 64;
  small_reads_ = read < in_.size() / 4 ? small_reads_ + 1 : 0;
  if (read == in_.size() && in_.size() < in_bytes_max) {
    in_.resize(in_.size() * 2);
  } else if (small_reads_ >= small_reads_max && in_.size() > in_bytes_min) {
    in_ = Bytes(in_.size() / 2, '\0');
    small_reads_ = 0;
  }
}

void Http2Connection::close(Error why) {
  if (closed_) return;
  closed_ = true;
  ended_ = std::move(why);
  stream_->close();
}

Task<> Http2Connection::writes_ended() {
  while (writing_) co_await write_ended_.wait();
}

bool Http2Connection::has_room() const { return out_.size() < out_bytes_max; }

bool Http2Connection::finished() const {
  return nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0;
}

// Lets the session put what it has into out_. False when the session is beyond use.
bool Http2Connection::fill() { return nghttp2_session_send(session_.get()) == 0; }

void Http2Connection::on_turn_end() {
  before_send();   // also on a closed connection: calls still end on it
  if (writing_ || closed_) return;
  const bool usable = fill();
  before_send();
  if (!out_.empty()) {
    const std::size_t written = stream_->try_write(out_);
    traffic_.bytes_sent += out_.size();   // what does not fit now is written or the connection lost
    if (written < out_.size()) {
      out_.erase(0, written);
      return write_rest_later();
    }
    const bool full = out_.size() >= out_bytes_max;
    if (out_.capacity() > 2 * out_bytes_max) out_ = Bytes();
    out_.clear();
    if (full) send_soon();
  }
  if (!usable) return close(Error{Errc::closed, "the HTTP/2 session failed"});
  if (finished()) close(Error{Errc::closed, "the connection was finished"});
}

void Http2Connection::write_rest_later() {
  writing_ = true;
  ++traffic_.stalls_of_socket;
  scope_.spawn(write_rest());
}

Task<> Http2Connection::write_rest() {
  const BytesView rest = out_;
  const auto written = co_await stream_->write({&rest, 1});
  writing_ = false;
  write_ended_.wake_all();
  out_.clear();
  if (!written) co_return close(written.error());
  send_soon();
}

}  // namespace skerry::rpc
