// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nghttp2/nghttp2.h>

#include <memory>

#include "net/stream.hpp"
#include "rpc/connection_figures.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::rpc {

struct SessionDeleter {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};
using Session = std::unique_ptr<nghttp2_session, SessionDeleter>;

// What a connection may have on its way to us.
constexpr std::int32_t connection_window_bytes = 8 << 20;

// One HTTP/2 connection on a stream: what servers and clients have in common. Reads in batches, and writes what is ready
// once at the end of a loop turn. nghttp2 holds the protocol's state; nothing of ours runs inside its callbacks but
// bookkeeping: work they find is done by after_receive() and before_send(), so it may use the session freely.
// Window of the connection: given back as bytes arrive. Window of a stream: its owner's affair.
class Http2Connection : public TurnHook {
 public:
  ~Http2Connection() override;

  nghttp2_session* session() const { return session_.get(); }
  Core& core() const { return core_; }
  const net::Address& peer() const { return peer_; }
  bool closed() const { return closed_; }
  Traffic& traffic() { return traffic_; }
  const Traffic& traffic() const { return traffic_; }
  bool secure() const { return stream_->secure(); }
  const net::PeerCertificate* peer_certificate() const { return stream_->peer_certificate(); }

  // Gives back what a stream's owner has taken of its window, once that is worth a frame: `unreturned` bytes but for
  // `held_back`, which still wait. Returns how many were given back.
  std::size_t return_window(std::int32_t stream, std::size_t unreturned, std::size_t held_back, std::size_t window);

  // Something was submitted to the session, or left for before_send(): to be done at the end of this turn.
  void send_soon() { core_.at_turn_end(*this); }

 protected:
  // `scope` joins the writes that did not fit into the socket; it ends before this does.
  Http2Connection(Core& core, TaskScope& scope, std::unique_ptr<net::Stream> stream);
  void adopt(nghttp2_session* session) { session_.reset(session); }

  // Reads until the connection ends, and says why it did. Call once, with the session adopted and its settings submitted.
  Task<Error> receive_all();
  // Ends the connection now: reads and writes fail.
  void close(Error why);
  void send_now() { on_turn_end(); }
  Task<> writes_ended();   // after close(): until no write refers to this any more

  virtual void after_receive() = 0;   // a batch of frames was taken
  // Whether after_receive() left work for the next turn. It is called again then, and nothing is read before that is done.
  virtual bool behind() const { return false; }
  virtual void before_send() = 0;     // the last chance to submit; runs once more after frames were taken for writing
  // The window of the connection is given back as DATA arrives, in one go for each batch.
  void took_data(std::size_t bytes) { received_bytes_ += bytes; }
  TimePoint last_received() const { return last_received_; }

  // The call that a stream carries; null: none. nghttp2 asks about one stream many times in a row.
  void* carried(std::int32_t stream) const {
    if (stream != looked_up_) {
      carried_ = nghttp2_session_get_stream_user_data(session_.get(), stream);
      looked_up_ = stream;
    }
    return carried_;
  }
  void carry(std::int32_t stream, void* call) {
    nghttp2_session_set_stream_user_data(session_.get(), stream, call);
    forget_lookup();
  }
  void forget_lookup() { looked_up_ = 0, carried_ = nullptr; }

  // For the data provider: bytes straight into what will be written, while there is room in this turn.
  Bytes& out() { return out_; }
  bool has_room() const;
  // The same for every kind of session; the subclass adds its own.
  static void set_callbacks(nghttp2_session_callbacks* callbacks);

 private:
  void on_turn_end() override;
  bool finished() const;
  bool take(BytesView bytes);
  bool fill();
  void adapt_buffer(std::size_t read);
  void write_rest_later();
  Task<> write_rest();
  static ssize_t on_send(nghttp2_session*, const std::uint8_t* data, std::size_t length, int flags, void* self);

  Core& core_;
  TaskScope& scope_;
  std::unique_ptr<net::Stream> stream_;
  net::Address peer_;
  Session session_;
  WaitList write_ended_;
  Bytes out_;
  Bytes in_;
  TimePoint last_received_;
  Traffic traffic_;
  std::size_t received_bytes_ = 0;
  int small_reads_ = 0;
  mutable std::int32_t looked_up_ = 0;   // whose call is `carried_`; 0 is the connection itself, which carries none
  mutable void* carried_ = nullptr;
  Error ended_;
  bool writing_ = false;   // a write that did not fit is under way
  bool closed_ = false;
};

}  // namespace skerry::rpc
