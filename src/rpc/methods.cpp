// SPDX-License-Identifier: Apache-2.0
#include "rpc/methods.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/logging.h>

#include <limits>
#include <mutex>
#include <vector>

#include "base/assert.hpp"

namespace skerry::rpc {
namespace {

// protobuf tells which field is not UTF-8 only in a line that it logs; it is caught here for the answer to the client,
// and kept off stderr, which any client could fill otherwise.
thread_local std::string* caught_log = nullptr;

void catch_log(google::protobuf::LogLevel, const char*, int, const std::string& text) {
  if (caught_log != nullptr && caught_log->size() < 256) *caught_log += text.substr(0, 256);
}

}  // namespace

Result<> parse(BytesView bytes, google::protobuf::MessageLite& into) {
  static std::once_flag installed;
  std::call_once(installed, [] { google::protobuf::SetLogHandler(catch_log); });
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return fail(Errc::invalid_argument, into.GetTypeName() + ": a message above 2 GiB cannot be decoded");
  }
  std::string log;
  caught_log = &log;
  const bool parsed = into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  caught_log = nullptr;
  if (parsed) return {};
  if (log.find("UTF-8") == std::string::npos) {
    return fail(Errc::invalid_argument,
                "the message is not a " + into.GetTypeName() + ": its " + std::to_string(bytes.size()) + " bytes are malformed");
  }
  const std::size_t open = log.find('\'');
  const std::size_t shut = open == std::string::npos ? open : log.find('\'', open + 1);
  const std::string field = shut == std::string::npos ? "a string" : "field " + log.substr(open + 1, shut - open - 1);
  return fail(Errc::invalid_argument, "the message is not a " + into.GetTypeName() + ": " + field + " is not valid UTF-8");
}

Task<Result<bool>> MessageSource::next_into(google::protobuf::MessageLite& into) {
  CO_TRY(const auto bytes, co_await next());
  if (!bytes) co_return false;
  CO_TRYV(parse(*bytes, into));
  co_return true;
}

void Methods::add(Method method) {
  SKERRY_ASSERT(method.name.starts_with('/') && method.name.find('/', 1) != std::string::npos);
  method.index = methods_.size();
  std::string name = method.name;
  const bool added = methods_.emplace(std::move(name), std::move(method)).second;
  SKERRY_ASSERT(added);
}

void Methods::alias(std::string_view alias_service, std::string_view service) {
  const std::string prefix = "/" + std::string(service) + "/";
  std::vector<Method> copies;
  for (const auto& [name, method] : methods_) {
    if (!name.starts_with(prefix)) continue;
    copies.push_back(method);
    copies.back().name = "/" + std::string(alias_service) + "/" + name.substr(prefix.size());
  }
  SKERRY_ASSERT(!copies.empty());
  for (Method& copy : copies) add(std::move(copy));
}

Result<> Methods::check(const google::protobuf::ServiceDescriptor& service) const {
  const std::string prefix = "/" + service.full_name() + "/";
  const auto wrong = [](const std::string& name, const std::string& why) {
    return fail(Errc::invalid_argument, "method " + name + " " + why);
  };
  for (int i = 0; i < service.method_count(); ++i) {
    const auto& described = *service.method(i);
    const std::string name = prefix + described.name();
    const Method* method = find(name);
    if (method == nullptr) return wrong(name, "of the service is not registered");
    if (method->client_streams != described.client_streaming() || method->server_streams != described.server_streaming()) {
      return wrong(name, "is registered with another kind of streaming than the service describes");
    }
    if (method->request->GetDescriptor() != described.input_type()) {
      return wrong(name,
                   "takes " + described.input_type()->full_name() + ", but is registered with " + method->request->GetTypeName());
    }
    if (method->reply->GetDescriptor() != described.output_type()) {
      return wrong(
          name, "returns " + described.output_type()->full_name() + ", but is registered with " + method->reply->GetTypeName());
    }
  }
  for (const auto& [name, method] : methods_) {
    if (name.starts_with(prefix) && service.FindMethodByName(name.substr(prefix.size())) == nullptr) {
      return wrong(name, "is registered, but the service has no such method");
    }
  }
  return {};
}

Result<> Methods::service(const google::protobuf::ServiceDescriptor& service, std::initializer_list<std::string_view> aliases) {
  TRYV(check(service));
  for (const std::string_view each : aliases) alias(each, service.full_name());
  return {};
}

const Method* Methods::find(std::string_view name) const {
  const auto found = methods_.find(name);
  return found == methods_.end() ? nullptr : &found->second;
}

}  // namespace skerry::rpc
