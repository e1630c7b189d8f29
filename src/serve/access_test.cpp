// SPDX-License-Identifier: Apache-2.0
#include "serve/access.hpp"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "auth/secrets.hpp"
#include "oxia/client.pb.h"
#include "serve/access_guard.hpp"
#include "skerry/store/v1/store.pb.h"

namespace skerry::serve {
namespace {

using auth::Role;

const std::string read_method = "/io.oxia.proto.v1.OxiaClient/Read", write_method = "/io.oxia.proto.v1.OxiaClient/Write";

std::shared_ptr<const auth::Authenticator> knowing(const std::string& roles) {
  auto users = auth::Users::parse(
      "users: [{name: anna, token-sha256: " + auth::to_hex(auth::sha256("good")) + ", certificate: anna, roles: " + roles + "}]",
      "users");
  return std::make_shared<const auth::Authenticator>(*std::move(users), std::vector<auth::Issuer>{});
}

TEST(Access, every_method_of_the_store_asks_for_reading_or_writing_in_its_namespace) {
  for (const auto* service : {io::oxia::proto::v1::ShardAssignments::descriptor()->file()->FindServiceByName("OxiaClient"),
                              skerry::store::v1::WriteRequest::descriptor()->file()->FindServiceByName("Store")}) {
    ASSERT_NE(service, nullptr);
    for (int i = 0; i < service->method_count(); ++i) {
      const Access access = access_to("/" + service->full_name() + "/" + service->method(i)->name());
      EXPECT_EQ(access.scope, AccessScope::one) << service->method(i)->full_name();
      EXPECT_TRUE(access.role == Role::read || access.role == Role::write) << service->method(i)->full_name();
    }
  }
  EXPECT_EQ(access_to("/io.streamnative.oxia.proto.OxiaClient/Write").role, Role::write);
}

TEST(Access, operators_methods_ask_for_the_role_admin_everywhere) {
  for (const char* method : {"/skerry.control.v1.Admin/GetCluster", "/skerry.control.v1.Admin/DrainNode",
                             "/io.oxia.proto.v1.OxiaAdmin/ListDataServers", "/io.oxia.proto.v1.OxiaAdmin/SplitShard"}) {
    EXPECT_EQ(access_to(method).role, Role::admin) << method;
    EXPECT_EQ(access_to(method).scope, AccessScope::everywhere) << method;
  }
}

TEST(Access, what_nobody_has_thought_about_is_closed) {
  for (const char* method : {"/io.oxia.proto.v1.OxiaClient/New", "/made.up.Service/Get", "nonsense", "", "/", "/x"}) {
    EXPECT_EQ(access_to(method).role, Role::admin) << method;
    EXPECT_EQ(access_to(method).scope, AccessScope::everywhere) << method;
  }
  EXPECT_EQ(access_to("/grpc.health.v1.Health/Check").scope, AccessScope::open);
}

TEST(AccessGuard, admits_who_proves_to_be_somebody_with_the_role) {
  const ManualClock clock;
  AccessGuard guard(clock, knowing("{default: read}"));
  const net::PeerCertificate anna{{"anna"}}, eve{{"eve"}};
  const auto code = [&](const std::string& method, std::optional<std::string_view> header, const net::PeerCertificate* peer) {
    const auto admitted = guard.admit(method, header, peer);
    return admitted ? rpc::Code::ok : admitted.error().code;
  };
  EXPECT_EQ(code(read_method, "Bearer good", nullptr), rpc::Code::ok);
  EXPECT_EQ(code(read_method, "bearer  good ", nullptr), rpc::Code::ok);
  EXPECT_EQ(code(read_method, std::nullopt, &anna), rpc::Code::ok);
  EXPECT_EQ(code(write_method, "Bearer good", nullptr), rpc::Code::permission_denied);
  EXPECT_EQ(code(read_method, std::nullopt, nullptr), rpc::Code::unauthenticated);
  EXPECT_EQ(code(read_method, std::nullopt, &eve), rpc::Code::unauthenticated);
  EXPECT_EQ(code(read_method, "Bearer bad", &anna), rpc::Code::unauthenticated);   // a wrong token is no reason to look further
  EXPECT_EQ(code(read_method, "Basic good", nullptr), rpc::Code::unauthenticated);
  EXPECT_EQ(code("/grpc.health.v1.Health/Check", std::nullopt, nullptr), rpc::Code::ok);
  EXPECT_EQ(code("/io.oxia.proto.v1.OxiaAdmin/DeleteNamespace", "Bearer good", nullptr), rpc::Code::permission_denied);
}

class Calling final : public rpc::ServerCall {
 public:
  explicit Calling(std::string method) : method_(std::move(method)) {}
  rpc::CallerPtr who;
  rpc::Metadata headers;
  const rpc::Metadata& metadata() const override { return headers; }
  std::string_view method() const override { return method_; }
  std::string_view authority() const override { return "store:1"; }
  Deadline deadline() const override { return no_deadline; }
  net::Address peer() const override { return {}; }
  void add_trailer(std::string, std::string) override {}
  const auth::Caller* caller() const override { return who.get(); }

 private:
  const std::string method_;
};

TEST(Access, the_namespace_decides_once_it_is_known) {
  const ManualClock clock;
  AccessGuard guard(clock, knowing("{default: write, other: read}"));
  Calling call(write_method);
  EXPECT_FALSE(refuse_access(call, "anything"));   // authentication is off
  call.headers.add("authorization", "Bearer good");
  call.who = *guard.admit(call);
  EXPECT_FALSE(refuse_access(call, "default"));
  const auto refused = refuse_access(call, "other");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, rpc::Code::permission_denied);
  EXPECT_EQ(
      refused->message,
      "\"anna\" has the role read in namespace \"other\", and Write asks for write: ask an administrator of this store for it");
  EXPECT_TRUE(refuse_access(call, ""));
}

TEST(AccessGuard, ends_calls_whose_caller_is_no_longer_who_it_was) {
  const ManualClock clock;
  AccessGuard guard(clock, knowing("{default: read}"));
  Calling call(read_method);
  call.headers.add("authorization", "Bearer good");
  call.who = *guard.admit(call);
  EXPECT_FALSE(guard.revoke(call));
  guard.set(knowing("{default: read}"));
  EXPECT_FALSE(guard.revoke(call));
  guard.set(knowing("{default: write}"));
  EXPECT_EQ(guard.revoke(call)->code, rpc::Code::unavailable);
  guard.set(knowing("{}"));
  EXPECT_EQ(guard.revoke(call)->code, rpc::Code::permission_denied);
  guard.set(std::make_shared<const auth::Authenticator>(auth::Users(), std::vector<auth::Issuer>{}));
  EXPECT_EQ(guard.revoke(call)->code, rpc::Code::unauthenticated);
}

}   // namespace
}   // namespace skerry::serve
