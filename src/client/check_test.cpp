// SPDX-License-Identifier: Apache-2.0
#include "client/check.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "client/sessions.hpp"

namespace skerry::client {
namespace {

TEST(Check, takes_the_default_options) { EXPECT_TRUE(check(ClientOptions())); }

TEST(Check, refuses_options_that_can_never_work_and_says_which) {
  ClientOptions options;
  options.addresses.clear();
  EXPECT_EQ(check(options).error(), Errc::invalid_argument);
  options = {};
  options.addresses = {"nonsense"};
  EXPECT_EQ(check(options).error(), Errc::invalid_argument);
  options = {};
  options.session_timeout = 1s;
  EXPECT_NE(check(options).error().text.find("session timeout"), std::string::npos);
  options = {};
  options.batches_in_flight_max = limits::stream_writes_in_flight_max + 1;
  EXPECT_EQ(check(options).error(), Errc::invalid_argument);
}

TEST(Check, takes_the_scheme_of_tls_off_all_addresses_or_none) {
  ClientOptions options;
  options.addresses = {"tls://a:1", "tls://b:2"};
  ASSERT_TRUE(settle_tls(options));
  EXPECT_EQ(options.addresses, (std::vector<std::string>{"a:1", "b:2"}));
  ASSERT_TRUE(options.tls);
  EXPECT_EQ(options.tls->alpn, std::vector<std::string>{"h2"});

  options = {};
  ASSERT_TRUE(settle_tls(options));
  EXPECT_FALSE(options.tls);

  options.addresses = {"tls://a:1", "b:2"};
  EXPECT_EQ(settle_tls(options).error(), Errc::invalid_argument);
}

TEST(Check, refuses_keys_that_servers_would_refuse_for_the_whole_batch) {
  EXPECT_TRUE(check_key("key", "/grün"));
  EXPECT_EQ(check_key("key", "\xFF").error(), Errc::invalid_argument);
  EXPECT_EQ(check_key("key", std::string(limits::key_bytes_max + 1, 'k')).error(), Errc::invalid_argument);
  EXPECT_TRUE(check_key("key", std::string(limits::key_bytes_max, 'k')));
}

TEST(Check, refuses_sequences_without_partition_key_or_with_a_condition) {
  PutOptions options;
  options.sequence_deltas = {1};
  EXPECT_EQ(check_put("k", "v", options).error(), Errc::invalid_argument);
  options.partition_key = "p";
  EXPECT_TRUE(check_put("k", "v", options));
  options.sequence_deltas = {0, 1};
  EXPECT_EQ(check_put("k", "v", options).error(), Errc::invalid_argument);
  options.sequence_deltas = {1};
  options.expected_version = must_not_exist;
  EXPECT_EQ(check_put("k", "v", options).error(), Errc::invalid_argument);
}

TEST(Heartbeat, leaves_room_for_two_lost_ones) {
  EXPECT_EQ(heartbeat_interval(2s), Duration(2s) / 3);
  EXPECT_EQ(heartbeat_interval(15s), Duration(2s));
  EXPECT_EQ(heartbeat_interval(5min), Duration(30s));
}

}  // namespace
}  // namespace skerry::client
