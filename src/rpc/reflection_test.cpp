// SPDX-License-Identifier: Apache-2.0
#include "rpc/reflection.hpp"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "rpc/testing/world.hpp"

namespace skerry::rpc {
namespace {

using google::protobuf::FileDescriptorProto;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;

class ReflectionTest : public ::testing::Test {
 protected:
  ReflectionTest() {
    reflection_.add_to(world_.methods);
    world_.start();
  }

  template <class Request, class Response>
  static Task<> ask(test::RpcWorld& world, std::string service, std::vector<Request> requests, std::vector<Response>& into) {
    auto call = co_await world.channel->open("/" + service + "/ServerReflectionInfo", world.within(10s));
    EXPECT_TRUE(call);
    for (const Request& request : requests) {
      EXPECT_TRUE(co_await (*call)->write(request));
      EXPECT_TRUE((co_await (*call)->read(into.emplace_back())).value_or(false));
    }
    EXPECT_TRUE(co_await (*call)->finish_writing());
    const Status status = co_await (*call)->finish();
    EXPECT_TRUE(status.ok()) << status.message;
  }
  // On one stream.
  std::vector<v1::ServerReflectionResponse> ask(std::vector<v1::ServerReflectionRequest> requests) {
    std::vector<v1::ServerReflectionResponse> responses;
    world_.run(ask(world_, "grpc.reflection.v1.ServerReflection", std::move(requests), responses));
    return responses;
  }
  static v1::ServerReflectionRequest symbol(const std::string& name) {
    v1::ServerReflectionRequest request;
    request.set_file_containing_symbol(name);
    return request;
  }
  static std::vector<FileDescriptorProto> files(const v1::ServerReflectionResponse& response) {
    std::vector<FileDescriptorProto> files;
    for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      EXPECT_TRUE(files.emplace_back().ParseFromString(bytes));
    }
    return files;
  }

  Reflection reflection_;   // outlives the server
  test::RpcWorld world_;
};

TEST_F(ReflectionTest, lists_every_service_also_under_its_second_name_and_itself) {
  v1::ServerReflectionRequest request;
  request.set_list_services("*");
  request.set_host("h");
  const auto response = ask({request}).front();
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
  EXPECT_THAT(names, ElementsAre("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection", "skerry.test.Echo", "skerry.test.alias.Echo"));
  EXPECT_EQ(response.valid_host(), "h");
  EXPECT_EQ(response.original_request().host(), "h");
}

TEST_F(ReflectionTest, the_older_version_answers_the_same) {
  v1alpha::ServerReflectionRequest request;
  request.set_list_services("");
  std::vector<v1alpha::ServerReflectionResponse> responses;
  world_.run(ask(world_, "grpc.reflection.v1alpha.ServerReflection", std::vector{request}, responses));
  EXPECT_EQ(responses.at(0).list_services_response().service_size(), 5);
}

TEST_F(ReflectionTest, describes_services_methods_and_messages) {
  for (const char* name :
       {"skerry.test.Echo", "skerry.test.Echo.Unary", "skerry.test.EchoRequest", "skerry.test.EchoReply.text"}) {
    const auto described = files(ask({symbol(name)}).front());
    ASSERT_EQ(described.size(), 1U) << name;
    EXPECT_EQ(described[0].name(), "testing/echo.proto");
    EXPECT_EQ(described[0].service(0).method_size(), 6);
  }
  v1::ServerReflectionRequest request;
  request.set_file_by_filename("health/health.proto");
  EXPECT_EQ(files(ask({request}).front()).at(0).package(), "grpc.health.v1");
}

TEST_F(ReflectionTest, a_second_name_is_described_by_the_same_messages) {
  const auto described = files(ask({symbol("skerry.test.alias.Echo")}).front());
  ASSERT_EQ(described.size(), 2U);   // with what it imports
  const auto& service = described[0].service(0);
  EXPECT_EQ(described[0].package(), "skerry.test.alias");
  EXPECT_EQ(service.name(), "Echo");
  EXPECT_EQ(service.method_size(), 6);
  for (const auto& method : service.method()) {
    EXPECT_EQ(method.client_streaming(),
              method.name() == "Bidirectional" || method.name() == "ClientStream" || method.name() == "SlowReader");
    EXPECT_EQ(method.server_streaming(), method.name() == "Bidirectional" || method.name() == "ServerStream");
    EXPECT_THAT(method.input_type(), HasSubstr(".skerry.test."));
  }
  EXPECT_EQ(described[1].name(), "testing/echo.proto");
}

TEST_F(ReflectionTest, a_stream_gets_an_import_once_and_what_it_asks_for_always) {
  const auto responses = ask({symbol("skerry.test.alias.Echo"), symbol("skerry.test.alias.Echo"), symbol("skerry.test.Echo")});
  EXPECT_EQ(files(responses[0]).size(), 2U);
  EXPECT_EQ(files(responses[1]).size(), 1U);
  EXPECT_EQ(files(responses[2]).size(), 1U);
}

TEST_F(ReflectionTest, what_it_does_not_know_is_named_and_the_stream_goes_on) {
  v1::ServerReflectionRequest nothing, extension, extensions;
  extension.mutable_file_containing_extension()->set_containing_type("skerry.test.EchoRequest");
  extension.mutable_file_containing_extension()->set_extension_number(99);
  extensions.set_all_extension_numbers_of_type("skerry.test.EchoRequest");
  const auto responses = ask({symbol("skerry.Nothing"), nothing, extension, extensions, symbol("skerry.test.Echo")});
  EXPECT_EQ(responses[0].error_response().error_code(), static_cast<int>(Code::not_found));
  EXPECT_THAT(responses[0].error_response().error_message(), HasSubstr("skerry.Nothing"));
  EXPECT_EQ(responses[1].error_response().error_code(), static_cast<int>(Code::invalid_argument));
  EXPECT_EQ(responses[2].error_response().error_code(), static_cast<int>(Code::not_found));
  EXPECT_EQ(responses[3].all_extension_numbers_response().base_type_name(), "skerry.test.EchoRequest");
  EXPECT_EQ(responses[3].all_extension_numbers_response().extension_number_size(), 0);
  EXPECT_EQ(files(responses[4]).size(), 1U);
}

TEST(ServiceCatalog, sees_services_that_are_registered_later) {
  Methods methods;
  const ServiceCatalog catalog(methods);
  EXPECT_TRUE(catalog.services().empty());
  EXPECT_EQ(catalog.file_with_symbol("late.Echo"), nullptr);
  methods.unary<test::EchoRequest, test::EchoReply>("/late.Echo/Unary", nullptr);
  EXPECT_THAT(catalog.services(), ElementsAre("late.Echo"));
  ASSERT_NE(catalog.file_with_symbol("late.Echo"), nullptr);
}

}  // namespace
}  // namespace skerry::rpc
