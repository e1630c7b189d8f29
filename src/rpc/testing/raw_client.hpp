// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/stream.hpp"

namespace skerry::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

// One HTTP/2 frame, headers decoded.
struct Frame {
  int type = 0;
  int flags = 0;
  int stream = 0;
  std::string payload;
  Fields fields;

  std::string field(const std::string& name) const;
  bool ends_stream() const { return (flags & NGHTTP2_FLAG_END_STREAM) != 0; }
};

// Writes HTTP/2 frames one by one and reads what comes back: for what no proper client would send.
class RawClient {
 public:
  explicit RawClient(std::unique_ptr<net::Stream> stream);
  ~RawClient();

  static std::string frame(int type, int flags, int stream, std::string_view payload);
  static std::string preface();   // the magic and empty SETTINGS
  static Fields request_fields(const std::string& path);
  static std::string message(std::string_view bytes);   // behind gRPC's prefix

  std::string headers(int stream, const Fields& fields, int flags = NGHTTP2_FLAG_END_HEADERS);
  bool send(std::string_view bytes) { return stream_->try_write(bytes) == bytes.size(); }
  // A whole request.
  void call(int stream, const std::string& path, std::string_view message_bytes);

  // Collects frames until the server closes, or the task is cancelled.
  Task<> read_all();
  const std::vector<Frame>& frames() const { return frames_; }
  // The first frame of a type, on `stream` unless that is negative; nullptr when there was none.
  const Frame* find(int type, int stream = -1) const;
  const Frame* last_headers(int stream) const;
  bool ended() const { return ended_; }
  net::Stream& stream() { return *stream_; }

 private:
  void take(std::string_view bytes);
  void decode(Frame& frame);

  std::unique_ptr<net::Stream> stream_;
  nghttp2_hd_deflater* deflater_ = nullptr;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string buffer_;
  std::vector<Frame> frames_;
  bool ended_ = false;
};

}  // namespace skerry::test
