// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/intrusive/list.hpp>
#include <vector>

#include "rpc/http2_connection.hpp"
#include "rpc/methods.hpp"
#include "rpc/server.hpp"
#include "rpc/wire.hpp"
#include "runtime/runner.hpp"
#include "runtime/tracing.hpp"

namespace skerry::rpc {

class ServerConnection;

// A counted reference to a header field of nghttp2's, kept without copying.
class HeaderText {
 public:
  HeaderText() = default;
  explicit HeaderText(nghttp2_rcbuf* text) : text_(text) { nghttp2_rcbuf_incref(text_); }
  HeaderText(HeaderText&& other) noexcept : text_(std::exchange(other.text_, nullptr)) {}
  HeaderText& operator=(HeaderText&& other) noexcept {
    std::swap(text_, other.text_);
    return *this;
  }
  ~HeaderText() {
    if (text_ != nullptr) nghttp2_rcbuf_decref(text_);
  }
  std::string_view view() const {
    if (text_ == nullptr) return {};
    const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(text_);
    return {reinterpret_cast<const char*>(bytes.base), bytes.len};
  }

 private:
  nghttp2_rcbuf* text_ = nullptr;
};

// One call on the server: a stream of its connection, the messages that wait on it in both directions, and the coroutine of
// its handler. Kept by the server and used again for later calls. Belongs to a connection from its first header until both
// the stream is closed and the handler has returned; the connection outlives that.
class ActiveCall final : public ServerCall,
                         public MessageSource,
                         public MessageSink,
                         private Runner<Status>,
                         private Timer,
                         public boost::intrusive::list_base_hook<> {
 public:
  ActiveCall(Core& core, const ServerOptions& options);

  void begin(ServerConnection& connection, std::int32_t stream);
  void reset();   // back to unused

  // From the connection, in the order in which a request comes.
  bool take_header(nghttp2_rcbuf* name, nghttp2_rcbuf* value);   // false: it is to be reset, and gets no more of them
  void end_headers();
  void take_data(BytesView bytes);
  void half_close();
  void stream_closed();
  // Does what has become possible: starts or wakes the handler, ends the call. Never called from inside nghttp2.
  void advance();
  void recheck_caller();
  // Ends the call from this side, whatever its handler does: deadline, limits, a server that stops.
  void end(Status status);

  // Where replies go: bytes for the next DATA frame.
  struct Part {
    std::size_t length;
    bool last;
  };
  Part next_part(std::size_t length_max);   // length 0 and not last: nothing now
  BytesView take_part(std::size_t length);
  void replies_deferred() { replies_deferred_ = true; }
  void submit_trailers();

  std::int32_t stream() const { return stream_; }
  bool half_closed() const { return half_closed_; }
  std::size_t buffered() const { return inbound_.buffered(); }

  const Metadata& metadata() const override;
  std::optional<std::string_view> header(std::string_view name) const override;
  const auth::Caller* caller() const override { return caller_.get(); }
  const net::PeerCertificate* certificate() const override;
  std::string_view method() const override { return method_ != nullptr ? std::string_view(method_->name) : path_.view(); }
  std::string_view authority() const override { return authority_.view(); }
  Deadline deadline() const override { return deadline_; }
  net::Address peer() const override;
  void add_trailer(std::string name, std::string value) override;
  Span* span() const override { return span_.get(); }
  void record_stages(const WriteStages& stages) override;

  Task<Result<std::optional<BytesView>>> next() override;
  Task<Result<bool>> next_into(google::protobuf::MessageLite& into) override;
  std::optional<Result<bool>> try_next_into(google::protobuf::MessageLite& into) override;
  std::optional<BytesView> peek() const override {
    return inbound_.has_message() ? std::optional(inbound_.front()) : std::nullopt;
  }
  void skip() override { message_taken(); }
  Task<Result<>> write(const google::protobuf::MessageLite& message) override;
  bool try_write(const google::protobuf::MessageLite& message) override;
  bool try_write_encoded(BytesView message) override;
  Task<Result<>> room() override;

 private:
  void on_end(std::optional<Status> status) override;   // of the handler
  void on_due() override;

  void refuse_headers();
  void place_header(nghttp2_rcbuf* name_text, nghttp2_rcbuf* value_text, std::string_view name, std::string_view value);
  void take_grpc_header(std::string_view name, std::string_view value);
  void admit();
  bool ready_to_start() const;
  void start();
  void refuse(Status status);          // before the handler: the first reason counts
  void refuse_http(int http_status);   // not gRPC at all
  void settle(Status status);
  void observe(Code code);
  void begin_span();
  void end_span(Code code);
  void submit_end();
  void resume_replies();
  Result<> begin_reply();
  void reply_queued(std::size_t before);
  Result<> queue(const google::protobuf::MessageLite& message);
  Result<> refuse_reply();
  void reset_if_stuck(std::uint32_t code);
  std::size_t queued() const { return outbound_.size() - outbound_taken_; }
  void account();
  void account_replies();
  void message_taken();
  void note_stall(std::size_t sending);
  void return_window();
  void later();

  Core& core_;
  const ServerOptions& options_;
  ServerConnection* connection_ = nullptr;
  std::int32_t stream_ = 0;
  const Method* method_ = nullptr;
  MethodObserver* observer_ = nullptr;
  std::unique_ptr<Span> span_;   // null unless this call is traced
  TimePoint started_;
  Deadline deadline_ = no_deadline;

  HeaderText path_, authority_;
  std::vector<std::pair<HeaderText, HeaderText>> headers_;
  std::size_t header_bytes_ = 0;
  mutable std::optional<Metadata> metadata_;
  bool has_te_ = false, has_content_type_ = false;

  wire::MessageAssembler inbound_;
  Bytes current_;                   // what next() handed out
  std::size_t taken_ = 0;           // bytes of what the handler took; of a stream, of the newest message
  std::size_t held_ = 0, replies_held_ = 0;   // as told to the connection
  std::size_t unreturned_ = 0;      // of the stream's window
  Parking reader_, writer_;
  Bytes outbound_;
  std::size_t outbound_taken_ = 0;

  CallerPtr caller_;
  std::optional<Status> refused_;
  int http_status_ = 200;
  Status status_;                   // once ended_
  Metadata trailers_;
  bool headers_done_ = false, half_closed_ = false, handler_started_ = false;
  bool headers_sent_ = false, ended_ = false, stream_closed_ = false;
  bool replies_deferred_ = false;   // nghttp2 asks for no more of them until it is told
  bool queued_ = false;             // on the connection's list of calls to advance
};

}  // namespace skerry::rpc
