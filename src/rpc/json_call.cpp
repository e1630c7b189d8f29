// SPDX-License-Identifier: Apache-2.0
#include "rpc/json_call.hpp"

#include <google/protobuf/message.h>

#include <algorithm>
#include <array>

#include "rpc/header_fields.hpp"
#include "rpc/json_text.hpp"
#include "rpc/wire.hpp"

namespace skerry::rpc {
namespace {

constexpr const char* json_type = "application/json";
constexpr const char* lines_type = "application/x-ndjson";

// What belongs to HTTP and says nothing of the call.
bool is_of_http(std::string_view name) {
  static constexpr std::array<std::string_view, 9> names = {
      "accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "te", "transfer-encoding"};
  return std::ranges::find(names, name) != names.end() || name.starts_with("grpc-");
}

Status invalid(std::string text) { return {Code::invalid_argument, std::move(text), {}}; }

}  // namespace

JsonCall::JsonCall(const Method& method, const net::HttpRequest& request, net::HttpReply& reply)
    : method_(method), request_(request), reply_(reply), authority_(request.header("host")) {}

Status JsonCall::read(TimePoint now, Duration unary_timeout, std::size_t messages_max) {
  if (Status status = read_metadata(now); !status.ok()) return status;
  if (deadline_ == no_deadline && !method_.client_streams && !method_.server_streams) deadline_ = now + unary_timeout;
  auto messages = split_json(request_.body, messages_max);
  if (!messages) return Status::from(messages.error());
  messages_ = *std::move(messages);
  if (method_.client_streams) return {};
  if (messages_.size() > 1) return invalid("the method takes one message; the body has more");
  if (messages_.empty()) messages_.emplace_back("{}");
  return {};
}

Status JsonCall::read_metadata(TimePoint now) {
  for (const auto& [name, value] : request_.headers) {
    if (name == "grpc-timeout") {
      const auto timeout = wire::parse_timeout(value);
      if (!timeout) return invalid("grpc-timeout " + printable(value, 64) + " is not a number and one of H M S m u n, like 30S");
      deadline_ = now + *timeout;
    } else if (!is_of_http(name) && is_metadata_name(name)) {
      if (wire::is_binary_name(name) ? !decode_binary_values(value) : !is_metadata_value(value)) {
        return invalid("the value of header " + name + " is " + (wire::is_binary_name(name) ? "not base64" : "not plain ASCII"));
      }
      add_field(metadata_, name, value);
    }
  }
  return {};
}

Task<Result<std::optional<BytesView>>> JsonCall::next() {
  if (taken_ == messages_.size()) co_return std::nullopt;
  const std::unique_ptr<google::protobuf::Message> message(method_.request->New());
  CO_TRYV(parse_json(messages_[taken_++], *message));
  current_ = message->SerializeAsString();
  co_return BytesView(current_);
}

Task<Result<>> JsonCall::write(const google::protobuf::MessageLite& message) {
  const auto* known = dynamic_cast<const google::protobuf::Message*>(&message);
  std::unique_ptr<google::protobuf::Message> parsed;
  if (known == nullptr) {
    parsed.reset(method_.reply->New());
    CO_TRYV(parse(message.SerializeAsString(), *parsed));
    known = parsed.get();
  }
  std::string text = to_json(*known);
  if (method_.server_streams) co_return co_await write_line(std::move(text));
  answer_ = std::move(text);
  co_return Result<>{};
}

Task<Result<>> JsonCall::write_line(std::string line) {
  if (!reply_.begun()) CO_TRYV(co_await reply_.begin({.content_type = lines_type}));
  line += '\n';
  co_return co_await reply_.write(line);
}

Task<> JsonCall::finish(Status status) {
  if (status.ok() && method_.server_streams) {
    if (!reply_.begun()) static_cast<void>(co_await reply_.begin({.content_type = lines_type}));
  } else if (status.ok()) {
    static_cast<void>(co_await reply_.send({.content_type = json_type, .body = answer_.value_or("{}") + "\n"}));
  } else if (reply_.begun()) {
    static_cast<void>(co_await write_line(error_json(status)));
  } else {
    net::HttpResponse response{.status = http_status(status.code), .content_type = json_type, .body = error_json(status) + "\n"};
    if (status.code == Code::unauthenticated) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    static_cast<void>(co_await reply_.send(std::move(response)));
  }
}

}  // namespace skerry::rpc
