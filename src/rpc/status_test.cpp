// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.hpp"

#include <gtest/gtest.h>

namespace skerry::rpc {
namespace {

TEST(Status, error_info_travels_in_the_details) {
  const ErrorInfo info{"oxia.io", "NODE_IS_NOT_LEADER", {{"leader", "a:1"}, {"shard", "3"}}};
  const Status status = Status::with_info(Code::aborted, "not the leader", info);
  EXPECT_EQ(status.code, Code::aborted);
  const auto read = status.info();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->domain, info.domain);
  EXPECT_EQ(read->reason, info.reason);
  EXPECT_EQ(read->metadata, info.metadata);
  EXPECT_FALSE((Status{Code::aborted, "", "not a google.rpc.Status"}).info());
  EXPECT_FALSE(Status().info());
}

TEST(Status, errors_become_the_nearest_code_and_back) {
  for (const Errc errc :
       {Errc::cancelled, Errc::deadline_exceeded, Errc::invalid_argument, Errc::not_found, Errc::already_exists,
        Errc::resource_exhausted, Errc::unavailable, Errc::aborted, Errc::corrupt, Errc::unsupported, Errc::internal}) {
    const Status status = Status::from(Error{errc, "why"});
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.message, "why");
    EXPECT_EQ(status.error().code, make_error_code(errc));
  }
  EXPECT_EQ(Status::from(Error{std::make_error_code(std::errc::io_error), "x"}).code, Code::unknown);
  EXPECT_EQ(name(Code::invalid_argument), "INVALID_ARGUMENT");
  EXPECT_EQ(name(static_cast<Code>(99)), "UNKNOWN");
}

TEST(Metadata, finds_the_first_field_of_a_name) {
  Metadata metadata;
  metadata.add("a", "1");
  metadata.add("b", "2");
  metadata.add("a", "3");
  EXPECT_EQ(metadata.find("a"), "1");
  EXPECT_FALSE(metadata.find("c"));
}

}  // namespace
}  // namespace skerry::rpc
