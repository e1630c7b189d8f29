// SPDX-License-Identifier: Apache-2.0
#include "rpc/json_text.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <memory>
#include <optional>

#include "runtime/quoting.hpp"

namespace skerry::rpc {
namespace {

namespace pb = google::protobuf;

constexpr int example_depth_max = 4;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Where the object that begins at `at` ends, or npos.
std::size_t end_of_object(std::string_view text, std::size_t at) {
  int depth = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// Where an array has a null for an element, which protobuf would leave out: answers would no longer stand where their requests
// do.
std::optional<std::size_t> find_null_element(std::string_view text) {
  std::string open;   // brackets
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      open += c;
    } else if (c == '}' || c == ']') {
      if (!open.empty()) open.pop_back();
    } else if (c == 'n' && open.ends_with('[') && text.substr(at).starts_with("null")) {
      return at;
    }
  }
  return std::nullopt;
}

std::string_view remedy_for(Code code) {
  switch (code) {
    case Code::ok: return "";
    case Code::invalid_argument:
    case Code::out_of_range: return "correct the request: GET of the same path shows the fields that it has";
    case Code::unauthenticated: return "say who you are: send the header \"Authorization: Bearer TOKEN\"";
    case Code::permission_denied: return "use an account that may do this, or ask for the right";
    case Code::not_found: return "check the names and numbers in the request";
    case Code::unimplemented: return "GET /api lists what there is";
    case Code::already_exists: return "use another name, or what is there already";
    case Code::resource_exhausted: return "ask for less at a time, or again later; the limit is named in the message";
    case Code::failed_precondition: return "bring about what the message asks for first";
    case Code::aborted: return "read again what the request depends on, and send it anew";
    case Code::deadline_exceeded: return "ask for less, or give it more time: the header \"grpc-timeout: 60S\" says how long";
    case Code::unavailable: return "try again shortly";
    case Code::cancelled: return "send it again";
    case Code::unknown:
    case Code::internal:
    case Code::data_loss: return "look into the log of the server";
  }
  return "look into the log of the server";
}

// One element in each list, and what is optional set, so that every field shows.
void fill_example(pb::Message& message, int depth) {
  const pb::Descriptor& type = *message.GetDescriptor();
  const pb::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor* field = type.field(i);
    const bool shown = field->real_containing_oneof() == nullptr || field->index_in_oneof() == 0;   // one of each choice
    if (!shown || field->is_map()) continue;
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      if (depth == 0 || field->message_type()->file()->package() == "google.protobuf") continue;
      fill_example(field->is_repeated() ? *reflection.AddMessage(&message, field) : *reflection.MutableMessage(&message, field),
                   depth - 1);
    } else if (field->is_repeated() && field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
      reflection.AddString(&message, field, "");
    } else if (!field->is_repeated() && field->has_presence()) {
      switch (field->cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_INT32: reflection.SetInt32(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_INT64: reflection.SetInt64(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_UINT32: reflection.SetUInt32(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_UINT64: reflection.SetUInt64(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_DOUBLE: reflection.SetDouble(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_FLOAT: reflection.SetFloat(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_BOOL: reflection.SetBool(&message, field, false); break;
        case pb::FieldDescriptor::CPPTYPE_ENUM: reflection.SetEnumValue(&message, field, 0); break;
        case pb::FieldDescriptor::CPPTYPE_STRING: reflection.SetString(&message, field, ""); break;
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: break;
      }
    }
  }
}

std::string example_of(const pb::Message& prototype) {
  const std::unique_ptr<pb::Message> example(prototype.New());
  fill_example(*example, example_depth_max);
  return to_json(*example);
}

// Without the braces.
std::string summary_fields(const Method& method) {
  return fmt::format(R"("method":{},"path":{},"request":{},"requestStream":{},"response":{},"responseStream":{})",
                     json_quoted(std::string_view(method.name).substr(method.name.rfind('/') + 1)),
                     json_quoted("/api" + method.name), json_quoted(method.request->GetTypeName()), method.client_streams,
                     json_quoted(method.reply->GetTypeName()), method.server_streams);
}

}   // namespace

Result<std::vector<std::string_view>> split_json(std::string_view body, std::size_t count_max) {
  std::vector<std::string_view> objects;
  std::size_t at = 0;
  const auto skip_space = [&] {
    while (at < body.size() && is_space(body[at])) ++at;
  };
  skip_space();
  const bool array = at < body.size() && body[at] == '[';
  if (array) ++at;
  for (;;) {
    skip_space();
    if (!objects.empty() && at < body.size() && body[at] == ',') {
      ++at;
      skip_space();
    }
    if (at == body.size() && !array) return objects;
    if (array && at < body.size() && body[at] == ']') {
      ++at;
      skip_space();
      if (at < body.size()) return fail(Errc::invalid_argument, fmt::format("byte {} of the body stands behind its array", at));
      return objects;
    }
    if (at == body.size() || body[at] != '{') {
      return fail(Errc::invalid_argument,
                  fmt::format("byte {} of the body should begin a JSON object like {{\"field\": 1}}", at));
    }
    const std::size_t end = end_of_object(body, at);
    if (end == std::string_view::npos) {
      return fail(Errc::invalid_argument, fmt::format("the JSON object at byte {} of the body does not end", at));
    }
    if (objects.size() == count_max) {
      return fail(Errc::resource_exhausted, fmt::format("the body has more than {} messages (messages_max)", count_max));
    }
    objects.push_back(body.substr(at, end - at));
    at = end;
  }
}

Result<> parse_json(std::string_view text, pb::Message& into) {
  if (const auto at = find_null_element(text)) {
    return fail(Errc::invalid_argument,
                fmt::format("byte {} of a {} is null as an element of an array: leave it out", *at, into.GetTypeName()));
  }
  const auto parsed = pb::util::JsonStringToMessage(pb::StringPiece(text.data(), text.size()), &into);
  if (parsed.ok()) return {};
  return fail(Errc::invalid_argument, "the body is no JSON of a " + into.GetTypeName() + ": " +
                                          printable(std::string_view(parsed.message().data(), parsed.message().size()), 512));
}

std::string to_json(const pb::Message& message) {
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;   // a status of 0 that is left out would read as if there were none
  std::string text;
  if (!pb::util::MessageToJsonString(message, &text, options).ok()) return "{}";
  return text;
}

std::string error_json(const Status& status) {
  std::string out = fmt::format(R"({{"error":{{"code":{},"status":{},"message":{})", static_cast<int>(status.code),
                                json_quoted(name(status.code)), json_quoted(status.message));
  if (const auto info = status.info()) {
    out += fmt::format(R"(,"reason":{},"domain":{},"metadata":{{)", json_quoted(info->reason), json_quoted(info->domain));
    const char* comma = "";
    for (const auto& [key, value] : info->metadata) {
      out += fmt::format("{}{}:{}", std::exchange(comma, ","), json_quoted(key), json_quoted(value));
    }
    out += '}';
  }
  return out + fmt::format(R"(,"remedy":{}}}}})", json_quoted(remedy_for(status.code)));
}

int http_status(Code code) {
  switch (code) {
    case Code::ok: return 200;
    case Code::invalid_argument:
    case Code::failed_precondition:
    case Code::out_of_range: return 400;
    case Code::unauthenticated: return 401;
    case Code::permission_denied: return 403;
    case Code::not_found: return 404;
    case Code::already_exists:
    case Code::aborted: return 409;
    case Code::resource_exhausted: return 429;
    case Code::unimplemented: return 501;
    case Code::unavailable: return 503;
    case Code::deadline_exceeded: return 504;
    case Code::cancelled:
    case Code::unknown:
    case Code::internal:
    case Code::data_loss: return 500;
  }
  return 500;
}

std::string summary_json(const Method& method) { return "{" + summary_fields(method) + "}"; }

std::string description_json(const Method& method) {
  return fmt::format(R"({{{},"exampleRequest":{},"exampleResponse":{}}})", summary_fields(method), example_of(*method.request),
                     example_of(*method.reply));
}

}   // namespace skerry::rpc
