// SPDX-License-Identifier: Apache-2.0
#include "rpc/header_fields.hpp"

#include <google/protobuf/message_lite.h>

#include <limits>

#include "rpc/wire.hpp"

namespace skerry::rpc {
namespace {

std::uint8_t* raw(std::string_view text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); }

nghttp2_nv make(std::string_view name, std::string_view value, std::uint8_t flags) {
  return {raw(name), raw(value), name.size(), value.size(), flags};
}

constexpr std::array<std::string_view, 17> code_texts = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                         "9", "10", "11", "12", "13", "14", "15", "16"};

}  // namespace

nghttp2_nv make_constant_field(std::string_view name, std::string_view value) {
  return make(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}
nghttp2_nv make_field(std::string_view name, std::string_view value) { return make(name, value, NGHTTP2_NV_FLAG_NONE); }

const std::array<nghttp2_nv, 2> response_fields = {make_constant_field(":status", "200"),
                                                   make_constant_field("content-type", "application/grpc")};

void FieldList::add(std::string_view name, std::string value) { add_borrowed(name, texts_.emplace_front(std::move(value))); }

void FieldList::add(const Metadata& metadata) {
  for (const auto& [name, value] : metadata.fields()) {
    if (!is_metadata_name(name)) continue;
    if (wire::is_binary_name(name)) {
      add(name, wire::base64_encode(value));
    } else if (is_metadata_value(value)) {
      add_borrowed(name, value);
    }
  }
}

void FieldList::add_status(const Status& status, const Metadata& trailers) {
  const auto code = static_cast<std::size_t>(status.code);
  add_constant("grpc-status", code < code_texts.size() ? code_texts[code] : "2");
  if (!status.message.empty()) add("grpc-message", wire::percent_encode(status.message));
  if (!status.details.empty()) add("grpc-status-details-bin", wire::base64_encode(status.details));
  if (status.code == Code::unimplemented) add_constant("grpc-accept-encoding", "identity");
  add(trailers);
}

std::optional<std::vector<std::string>> decode_binary_values(std::string_view value) {
  std::vector<std::string> values;
  for (;;) {
    const std::size_t comma = value.find(',');
    std::string_view one = value.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    auto decoded = wire::base64_decode(one);
    if (!decoded) return std::nullopt;
    values.push_back(std::move(*decoded));
    if (comma == std::string_view::npos) return values;
    value.remove_prefix(comma + 1);
  }
}

void add_field(Metadata& metadata, std::string_view name, std::string_view value) {
  if (!wire::is_binary_name(name)) return metadata.add(std::string(name), std::string(value));
  auto decoded = decode_binary_values(value);
  if (!decoded) return;
  for (auto& each : *decoded) metadata.add(std::string(name), std::move(each));
}

bool is_metadata_name(std::string_view name) {
  if (name.empty() || name.starts_with("grpc-")) return false;
  for (const char c : name) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!allowed) return false;
  }
  return true;
}

bool is_metadata_value(std::string_view value) {
  for (const char c : value) {
    if (c < 0x20 || c > 0x7E) return false;
  }
  return true;
}

Result<> append_message(std::string& out, const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  if (size > std::numeric_limits<int>::max()) {
    return fail(Errc::resource_exhausted,
                "a " + message.GetTypeName() + " of " + std::to_string(size) + " bytes cannot be sent: messages end at 2 GiB");
  }
  const std::size_t start = out.size();
  wire::append_prefix(out, size);
  const std::size_t end = start + wire::prefix_bytes + size;
  // Without zeroing what is about to be written. libstdc++ 12 hands in the new capacity where the size should be: don't return
  // it.
  out.resize_and_overwrite(end, [&](char* data, std::size_t) {
    message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(data) + start + wire::prefix_bytes);
    return end;
  });
  return {};
}

}   // namespace skerry::rpc
