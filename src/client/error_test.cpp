// SPDX-License-Identifier: Apache-2.0
#include "client/error.hpp"

#include <gtest/gtest.h>

namespace skerry::client {
namespace {

using Action = Verdict::Action;

rpc::Status reason(rpc::Code code, std::string name, std::map<std::string, std::string> metadata = {}) {
  return rpc::Status::with_info(code, "oxia: …", {"oxia.io", std::move(name), std::move(metadata)});
}

TEST(Judge, retries_what_another_moment_or_server_can_answer) {
  for (const char* name : {"ABORTED", "NODE_IS_NOT_LEADER", "NODE_IS_NOT_MEMBER"}) {
    EXPECT_EQ(judge(reason(rpc::Code::aborted, name)).action, Action::retry) << name;
  }
  EXPECT_EQ(judge(reason(rpc::Code::unavailable, "NOT_INITIALIZED")).action, Action::retry);
  EXPECT_EQ(judge(reason(rpc::Code::unavailable, "RESOURCE_UNAVAILABLE")).action, Action::retry);
  EXPECT_EQ(judge(rpc::Status{rpc::Code::unavailable, "connection refused", {}}).action, Action::retry);
  EXPECT_EQ(judge(rpc::Status()).action, Action::retry);   // a stream that ended and owes answers
}

TEST(Judge, knows_which_refusals_come_before_anything_was_done) {
  EXPECT_FALSE(judge(reason(rpc::Code::aborted, "NODE_IS_NOT_LEADER")).maybe_applied);
  EXPECT_FALSE(judge(reason(rpc::Code::unavailable, "NOT_INITIALIZED")).maybe_applied);
  EXPECT_FALSE(judge(reason(rpc::Code::not_found, "SHARD_NOT_FOUND")).maybe_applied);
  EXPECT_TRUE(judge(reason(rpc::Code::aborted, "ABORTED")).maybe_applied);
  EXPECT_TRUE(judge(reason(rpc::Code::unknown, "UNKNOWN")).maybe_applied);
  EXPECT_TRUE(judge(rpc::Status{rpc::Code::unavailable, "the connection was lost", {}}).maybe_applied);
}

TEST(Judge, routes_again_when_the_shard_is_gone) {
  EXPECT_EQ(judge(reason(rpc::Code::not_found, "SHARD_NOT_FOUND")).action, Action::reroute);
}

TEST(Judge, gives_up_on_what_no_retry_can_mend) {
  const Verdict missing = judge(reason(rpc::Code::not_found, "NAMESPACE_NOT_FOUND"));
  EXPECT_EQ(missing.action, Action::give_up);
  EXPECT_EQ(missing.error, ClientErrc::namespace_not_found);
  EXPECT_EQ(judge(rpc::Status{rpc::Code::unauthenticated, "no token", {}}).error, ClientErrc::not_authorized);
  EXPECT_EQ(judge(rpc::Status{rpc::Code::invalid_argument, "too long", {}}).error, Errc::invalid_argument);
  EXPECT_EQ(judge(reason(rpc::Code::not_found, "SESSION_NOT_FOUND")).error, ClientErrc::session_expired);
}

TEST(Judge, takes_a_leader_hint_whole_or_not_at_all) {
  const Verdict whole = judge(reason(rpc::Code::aborted, "NODE_IS_NOT_LEADER", {{"shard", "3"}, {"leader", "b:6648"}}));
  EXPECT_EQ(whole.shard, ShardId{3});
  EXPECT_EQ(whole.leader, "b:6648");
  EXPECT_FALSE(judge(reason(rpc::Code::aborted, "NODE_IS_NOT_LEADER", {{"leader", "b:6648"}})).shard);
  EXPECT_FALSE(judge(reason(rpc::Code::aborted, "NODE_IS_NOT_LEADER", {{"shard", "3"}, {"leader", ""}})).shard);
  EXPECT_FALSE(judge(reason(rpc::Code::aborted, "NODE_IS_NOT_LEADER", {{"shard", "3x"}, {"leader", "b:1"}})).shard);
}

TEST(Judge, ignores_reasons_of_other_domains) {
  const auto status = rpc::Status::with_info(rpc::Code::not_found, "", {"example.org", "SHARD_NOT_FOUND", {}});
  EXPECT_EQ(judge(status).action, Action::give_up);
}

TEST(Judge, understands_the_numeric_codes_of_old_servers) {
  EXPECT_EQ(judge(rpc::Status{static_cast<rpc::Code>(106), "node is not leader", {}}).action, Action::retry);
  EXPECT_EQ(judge(rpc::Status{static_cast<rpc::Code>(110), "namespace not found", {}}).error, ClientErrc::namespace_not_found);
}

}  // namespace
}  // namespace skerry::client
