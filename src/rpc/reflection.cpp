// SPDX-License-Identifier: Apache-2.0
#include "rpc/reflection.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/message.h>

#include <set>
#include <unordered_set>

#include "base/assert.hpp"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace skerry::rpc {
namespace {

namespace pb = google::protobuf;

constexpr std::size_t name_bytes_shown_max = 256;

std::string_view name_of(std::string_view method) { return method.substr(method.rfind('/') + 1); }

// A file that describes nothing but the service, by the messages that its methods take and return.
pb::FileDescriptorProto describe(std::string_view service, const std::vector<const Method*>& methods) {
  const std::size_t dot = service.rfind('.');
  pb::FileDescriptorProto file;
  file.set_name(std::string(service) + ".proto");
  file.set_syntax("proto3");
  if (dot != std::string_view::npos) file.set_package(std::string(service.substr(0, dot)));
  auto& described = *file.add_service();
  described.set_name(std::string(dot == std::string_view::npos ? service : service.substr(dot + 1)));
  std::set<std::string> imports;
  for (const Method* method : methods) {
    auto& entry = *described.add_method();
    entry.set_name(std::string(name_of(method->name)));
    entry.set_input_type("." + method->request->GetDescriptor()->full_name());
    entry.set_output_type("." + method->reply->GetDescriptor()->full_name());
    entry.set_client_streaming(method->client_streams);
    entry.set_server_streaming(method->server_streams);
    imports.insert(method->request->GetDescriptor()->file()->name());
    imports.insert(method->reply->GetDescriptor()->file()->name());
  }
  for (const std::string& import : imports) file.add_dependency(import);
  return file;
}

}  // namespace

ServiceCatalog::ServiceCatalog(const Methods& methods) : methods_(methods) {}
ServiceCatalog::~ServiceCatalog() = default;

std::vector<std::string> ServiceCatalog::services() const {
  std::vector<std::string> names;
  for (const auto& [name, method] : methods_.all()) {   // sorted: the methods of a service stand together
    if (names.empty() || names.back() != service_of(name)) names.emplace_back(service_of(name));
  }
  return names;
}

const pb::DescriptorPool& ServiceCatalog::pool() const {
  describe_aliases();
  return *pool_;
}

// Only when methods were added since: a pool over the compiled one, with a file for each service that the latter doesn't know.
void ServiceCatalog::describe_aliases() const {
  if (pool_ && described_ == methods_.all().size()) return;
  described_ = methods_.all().size();
  alias_files_.clear();
  pool_ = std::make_unique<pb::DescriptorPool>(pb::DescriptorPool::generated_pool());
  for (const std::string& service : services()) {
    if (pb::DescriptorPool::generated_pool()->FindServiceByName(service) != nullptr) continue;
    std::vector<const Method*> methods;
    for (const auto& [name, method] : methods_.all()) {
      if (service_of(name) == service) methods.push_back(&method);
    }
    const pb::FileDescriptor* file = pool_->BuildFile(describe(service, methods));
    if (file != nullptr) alias_files_.emplace(service, file->name());
  }
}

const pb::FileDescriptor* ServiceCatalog::file_named(const std::string& name) const { return pool().FindFileByName(name); }

const pb::FileDescriptor* ServiceCatalog::file_with_symbol(const std::string& symbol) const {
  return pool().FindFileContainingSymbol(symbol);
}

namespace {

// The answers to one stream: files that it was already sent are not sent again.
template <class Request, class Response>
class Answers {
 public:
  explicit Answers(const ServiceCatalog& catalog) : catalog_(catalog) {}

  Response to(const Request& request) {
    Response response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    switch (request.message_request_case()) {
      case Request::kFileByFilename:
        send(response, catalog_.file_named(request.file_by_filename()), "file", request.file_by_filename());
        break;
      case Request::kFileContainingSymbol:
        send(response, catalog_.file_with_symbol(request.file_containing_symbol()), "symbol", request.file_containing_symbol());
        break;
      case Request::kFileContainingExtension: extension(response, request.file_containing_extension()); break;
      case Request::kAllExtensionNumbersOfType: extensions(response, request.all_extension_numbers_of_type()); break;
      case Request::kListServices: list(response); break;
      case Request::MESSAGE_REQUEST_NOT_SET:
        refuse(response, Code::invalid_argument, "the request asks for nothing: set one of message_request's fields");
        break;
    }
    return response;
  }

 private:
  static void refuse(Response& response, Code code, std::string text) {
    response.mutable_error_response()->set_error_code(static_cast<int>(code));
    response.mutable_error_response()->set_error_message(std::move(text));
  }

  void send(Response& response, const pb::FileDescriptor* file, const char* kind, std::string_view name) {
    if (file == nullptr) {
      refuse(response, Code::not_found,
             "this server has no " + std::string(kind) + " " + printable(name, name_bytes_shown_max) +
                 "; list_services names what there is");
      return;
    }
    add(*response.mutable_file_descriptor_response(), *file);
  }

  // With what it imports, behind it. What was asked for is there even when it was sent before.
  template <class Files>
  void add(Files& files, const pb::FileDescriptor& asked_for) {
    std::vector<const pb::FileDescriptor*> left{&asked_for};
    sent_.erase(&asked_for);
    while (!left.empty()) {
      const pb::FileDescriptor* file = left.back();
      left.pop_back();
      if (!sent_.insert(file).second) continue;
      pb::FileDescriptorProto description;
      file->CopyTo(&description);
      files.add_file_descriptor_proto(description.SerializeAsString());
      for (int i = 0; i < file->dependency_count(); ++i) left.push_back(file->dependency(i));
    }
  }

  template <class Extension>
  void extension(Response& response, const Extension& asked) {
    const pb::Descriptor* type = catalog_.pool().FindMessageTypeByName(asked.containing_type());
    if (type == nullptr) return send(response, nullptr, "message type", asked.containing_type());
    const pb::FieldDescriptor* found = catalog_.pool().FindExtensionByNumber(type, asked.extension_number());
    if (found == nullptr) {
      return send(response, nullptr, "extension", asked.containing_type() + "[" + std::to_string(asked.extension_number()) + "]");
    }
    add(*response.mutable_file_descriptor_response(), *found->file());
  }

  void extensions(Response& response, const std::string& name) {
    const pb::Descriptor* type = catalog_.pool().FindMessageTypeByName(name);
    if (type == nullptr) return send(response, nullptr, "message type", name);
    std::vector<const pb::FieldDescriptor*> found;
    catalog_.pool().FindAllExtensions(type, &found);
    auto& numbers = *response.mutable_all_extension_numbers_response();
    numbers.set_base_type_name(name);
    for (const pb::FieldDescriptor* field : found) numbers.add_extension_number(field->number());
  }

  void list(Response& response) {
    auto& list = *response.mutable_list_services_response();
    for (std::string& name : catalog_.services()) list.add_service()->set_name(std::move(name));
  }

  const ServiceCatalog& catalog_;
  std::unordered_set<const pb::FileDescriptor*> sent_;
};

}  // namespace

Reflection::Reflection() = default;
Reflection::~Reflection() = default;

template <class Request, class Response>
Task<Status> Reflection::answer(Requests<Request>& requests, Replies<Response>& replies) {
  Answers<Request, Response> answers(*catalog_);
  Request request;
  for (;;) {
    const auto more = co_await requests.next(request);
    if (!more) co_return Status::from(more.error());
    if (!*more) co_return Status();
    if (auto written = co_await replies.write(answers.to(request)); !written) co_return Status::from(written.error());
  }
}

template <class Request, class Response>
void Reflection::add_version(Methods& methods, const std::string& service) {
  methods.bidirectional<Request, Response>(
      "/" + service + "/ServerReflectionInfo",
      [this](ServerCall&, Requests<Request>& requests, Replies<Response>& replies) { return answer(requests, replies); });
  const auto checked = methods.check(*pb::DescriptorPool::generated_pool()->FindServiceByName(service));
  SKERRY_ASSERT(checked.has_value());
}

void Reflection::add_to(Methods& methods) {
  SKERRY_ASSERT(!catalog_);
  catalog_ = std::make_unique<ServiceCatalog>(methods);
  namespace v1 = grpc::reflection::v1;
  namespace v1alpha = grpc::reflection::v1alpha;
  add_version<v1::ServerReflectionRequest, v1::ServerReflectionResponse>(methods, "grpc.reflection.v1.ServerReflection");
  add_version<v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>(methods,
                                                                                   "grpc.reflection.v1alpha.ServerReflection");
}

}  // namespace skerry::rpc
