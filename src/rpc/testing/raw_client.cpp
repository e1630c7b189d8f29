// SPDX-License-Identifier: Apache-2.0
#include "rpc/testing/raw_client.hpp"

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "rpc/header_fields.hpp"
#include "rpc/wire.hpp"

namespace skerry::test {

std::string Frame::field(const std::string& name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "";
}

RawClient::RawClient(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {
  SKERRY_ASSERT(nghttp2_hd_deflate_new(&deflater_, 4096) == 0);
  SKERRY_ASSERT(nghttp2_hd_inflate_new(&inflater_) == 0);
}
RawClient::~RawClient() {
  nghttp2_hd_deflate_del(deflater_);
  nghttp2_hd_inflate_del(inflater_);
}

std::string RawClient::frame(int type, int flags, int stream, std::string_view payload) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  std::string out = {static_cast<char>(length >> 16), static_cast<char>(length >> 8), static_cast<char>(length),
                     static_cast<char>(type), static_cast<char>(flags)};
  append_big_endian(out, static_cast<std::uint32_t>(stream));
  return out.append(payload);
}

std::string RawClient::preface() { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(NGHTTP2_SETTINGS, 0, 0, ""); }

Fields RawClient::request_fields(const std::string& path) {
  return {{":method", "POST"},      {":scheme", "http"}, {":path", path},
          {":authority", "server"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
}

std::string RawClient::message(std::string_view bytes) {
  std::string out;
  rpc::wire::append_prefix(out, bytes.size());
  return out.append(bytes);
}

std::string RawClient::headers(int stream, const Fields& fields, int flags) {
  std::vector<nghttp2_nv> wire;
  for (const auto& [name, value] : fields) wire.push_back(rpc::make_field(name, value));
  std::string block(nghttp2_hd_deflate_bound(deflater_, wire.data(), wire.size()), '\0');
  const auto size =
      nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(block.data()), block.size(), wire.data(), wire.size());
  SKERRY_ASSERT(size >= 0);
  return frame(NGHTTP2_HEADERS, flags, stream, std::string_view(block).substr(0, static_cast<std::size_t>(size)));
}

void RawClient::call(int stream, const std::string& path, std::string_view message_bytes) {
  send(headers(stream, request_fields(path)) + frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, message(message_bytes)));
}

Task<> RawClient::read_all() {
  std::string buffer(64 << 10, '\0');
  for (;;) {
    const auto count = co_await stream_->read_some(buffer);
    if (!count || *count == 0) break;
    take(std::string_view(buffer).substr(0, *count));
  }
  ended_ = true;
}

void RawClient::take(std::string_view bytes) {
  buffer_ += bytes;
  while (buffer_.size() >= 9) {
    ByteReader reader(buffer_);
    const std::size_t length =
        static_cast<std::size_t>(reader.big_endian<std::uint16_t>()) << 8 | reader.big_endian<std::uint8_t>();
    if (buffer_.size() < 9 + length) return;
    Frame frame;
    frame.type = reader.big_endian<std::uint8_t>();
    frame.flags = reader.big_endian<std::uint8_t>();
    frame.stream = static_cast<int>(reader.big_endian<std::uint32_t>());
    frame.payload = std::string(reader.bytes(length));
    buffer_.erase(0, 9 + length);
    if (frame.type == NGHTTP2_HEADERS) decode(frame);
    frames_.push_back(std::move(frame));
  }
}

void RawClient::decode(Frame& frame) {
  const auto* in = reinterpret_cast<const std::uint8_t*>(frame.payload.data());
  std::size_t left = frame.payload.size();
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    const auto taken = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
    SKERRY_ASSERT(taken >= 0);
    in += taken;
    left -= static_cast<std::size_t>(taken);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      frame.fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                                std::string(reinterpret_cast<char*>(field.value), field.valuelen));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_);
}

const Frame* RawClient::find(int type, int stream) const {
  for (const Frame& frame : frames_) {
    if (frame.type == type && (stream < 0 || frame.stream == stream)) return &frame;
  }
  return nullptr;
}

const Frame* RawClient::last_headers(int stream) const {
  const Frame* found = nullptr;
  for (const Frame& frame : frames_) {
    if (frame.type == NGHTTP2_HEADERS && frame.stream == stream) found = &frame;
  }
  return found;
}

}  // namespace skerry::test
