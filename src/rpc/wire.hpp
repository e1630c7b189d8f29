// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "rpc/status.hpp"

// How gRPC writes things into HTTP/2: pure functions over bytes. See "gRPC over HTTP2" in the gRPC project.
namespace skerry::rpc::wire {

// grpc-message: what is not printable ASCII, and '%', becomes %XX. Decoding leaves malformed escapes as they stand.
std::string percent_encode(std::string_view text);
std::string percent_decode(std::string_view text);

// Values of "-bin" fields: written without padding, read with or without.
std::string base64_encode(BytesView bytes);
std::optional<Bytes> base64_decode(std::string_view text);

// grpc-timeout: at most eight digits and a unit, H M S m u n. Written rounded up, so that no deadline moves forward.
std::optional<Duration> parse_timeout(std::string_view text);
std::string format_timeout(Duration left);

// content-type of a gRPC request whose messages are protobuf.
bool is_grpc_content(std::string_view content_type);
bool is_binary_name(std::string_view name);

constexpr std::size_t prefix_bytes = 5;   // of each message: a compression flag, then its length, big endian
void append_prefix(Bytes& out, std::size_t length);

// Cuts the bytes of a stream's DATA frames into messages. Never holds more than one message above what was not taken yet.
class MessageAssembler {
 public:
  explicit MessageAssembler(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}

  // Fails when a message is larger than allowed or claims to be compressed; then the stream can only be ended.
  Status feed(BytesView bytes);

  bool has_message() const { return complete_ > 0; }
  std::size_t messages() const { return complete_; }
  BytesView front() const;   // the payload; valid until feed() or pop()
  void pop();
  // Bytes of a message that has begun and not ended: the stream must not end here.
  bool mid_message() const { return scanned_ < buffer_.size(); }
  std::size_t buffered() const { return buffer_.size() - taken_; }
  std::size_t complete_bytes() const { return scanned_ - taken_; }   // with prefixes
  void clear();

 private:
  void make_room(std::size_t incoming);

  std::size_t message_bytes_max_;
  Bytes buffer_;
  std::size_t taken_ = 0;     // everything before was popped
  std::size_t scanned_ = 0;   // start of the first incomplete message
  std::size_t complete_ = 0;
};

}  // namespace skerry::rpc::wire
