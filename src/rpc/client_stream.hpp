// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/intrusive/list.hpp>

#include "rpc/channel.hpp"
#include "rpc/http2_connection.hpp"
#include "rpc/wire.hpp"
#include "runtime/parking.hpp"

namespace skerry::rpc {

class ClientConnection;

// One call on the client: a stream of a connection, the messages that wait on it, and how it ended. Owned by the coroutine
// that makes the call; destroying it cancels what has not ended. Its connection may end before it.
class ClientStream final : private Timer,
                           public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  ClientStream(Core& core, const ChannelOptions& options, std::string method, Deadline deadline);
  ~ClientStream() override;

  // The call, in order. Not more than one coroutine reads, one writes, one waits for the end.
  Task<Result<>> write(const google::protobuf::MessageLite& message);
  Result<> queue(const google::protobuf::MessageLite& message);   // whatever is queued already
  void finish_writing();
  Task<Result<bool>> read(google::protobuf::MessageLite& into);
  Task<Result<std::optional<BytesView>>> next();
  Task<Status> ended();
  bool has_reply() const { return inbound_.has_message(); }   // that was not read
  void discard_replies() { discarding_ = true; }
  void cancel(Status status);   // ends it from this side

  // From the connection.
  void begin(ClientConnection& connection, std::int32_t stream);
  void take_header(std::string_view name, std::string_view value);
  void end_headers();
  void take_data(BytesView bytes);
  void stream_closed(std::uint32_t http2_error);
  void connection_lost(const Error& why);
  void detach() { connection_ = nullptr; }   // the connection is about to go
  void advance();   // wakes one who waits; the stream may be gone after it

  struct Part {
    std::size_t length;
    bool last;
  };
  Part next_part(std::size_t length_max);
  BytesView take_part(std::size_t length);

  std::int32_t stream() const { return stream_; }
  const std::string& method() const { return method_; }
  Deadline deadline() const { return deadline_; }

 private:
  void on_due() override;
  void end(Status status);
  void later();
  void message_taken();
  std::size_t queued() const { return outbound_.size() - outbound_taken_; }
  Status closing_status(std::uint32_t http2_error) const;

  Core& core_;
  const ChannelOptions& options_;
  const std::string method_;
  const Deadline deadline_;
  ClientConnection* connection_ = nullptr;
  std::int32_t stream_ = 0;

  int http_status_ = 0;
  bool is_grpc_ = false;
  std::optional<int> grpc_status_;
  std::string grpc_message_, grpc_details_;

  wire::MessageAssembler inbound_;
  std::size_t unreturned_ = 0;
  Bytes outbound_;
  std::size_t outbound_taken_ = 0;
  Bytes current_;   // what next() gave out
  Parking reader_, writer_, finisher_;
  std::optional<Status> status_;   // once it has ended
  bool writing_done_ = false, discarding_ = false;
  bool queued_ = false;            // on the connection's list of streams to advance
};

}  // namespace skerry::rpc
