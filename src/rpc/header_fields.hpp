// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nghttp2/nghttp2.h>

#include <array>
#include <boost/container/small_vector.hpp>
#include <forward_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "rpc/status.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace skerry::rpc {

// nghttp2 copies neither: both must live until the frame was written; string literals do.
nghttp2_nv make_constant_field(std::string_view name, std::string_view value);
nghttp2_nv make_field(std::string_view name, std::string_view value);   // copied when submitted

// Of every response that is gRPC.
extern const std::array<nghttp2_nv, 2> response_fields;

// Fields for one HEADERS frame; owns what must live until it is submitted.
class FieldList {
 public:
  FieldList() = default;
  explicit FieldList(std::span<const nghttp2_nv> first) : fields_(first.begin(), first.end()) {}
  // Borrowed until the frame is sent.
  void add_constant(std::string_view name, std::string_view value) { fields_.push_back(make_constant_field(name, value)); }
  void add(std::string_view name, std::string value);
  // Borrowed until submitted.
  void add_borrowed(std::string_view name, std::string_view value) { fields_.push_back(make_field(name, value)); }
  void add(const Metadata& metadata);
  void add_status(const Status& status, const Metadata& trailers);
  const nghttp2_nv* data() const { return fields_.data(); }
  std::size_t size() const { return fields_.size(); }

 private:
  boost::container::small_vector<nghttp2_nv, 12> fields_;
  std::forward_list<std::string> texts_;
};

// What the wire calls `name` and `value`, as a field for people: "-bin" values decoded, one field for each.
void add_field(Metadata& metadata, std::string_view name, std::string_view value);
// The comma-separated values of a "-bin" field; nothing when one of them is not base64.
std::optional<std::vector<std::string>> decode_binary_values(std::string_view value);
// What gRPC allows: lower-case letters, digits, '-', '_', '.', not starting with "grpc-"; printable ASCII.
bool is_metadata_name(std::string_view name);
bool is_metadata_value(std::string_view value);

// Serialises after a message prefix. Fails with resource_exhausted above 2 GiB, which protobuf cannot write.
Result<> append_message(std::string& out, const google::protobuf::MessageLite& message);

}  // namespace skerry::rpc
