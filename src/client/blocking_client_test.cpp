// SPDX-License-Identifier: Apache-2.0
#include "client/blocking_client.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "client/error.hpp"

namespace skerry::client {
namespace {

// Nobody listens on port 1 of this machine: everything waits, until its deadline or an interruption.
ClientOptions unreachable() { return {.addresses = {"127.0.0.1:1"}}; }

std::unique_ptr<BlockingClient> make(ClientOptions options) {
  auto made = BlockingClient::make(std::move(options));
  EXPECT_TRUE(made) << made.error().message();
  return std::move(*made);
}

TEST(BlockingClient, refuses_options_that_can_never_work) {
  EXPECT_EQ(BlockingClient::make({.addresses = {}}).error(), Errc::invalid_argument);
}

TEST(BlockingClient, gives_up_at_the_deadline_and_says_why) {
  ClientOptions options = unreachable();
  options.request_timeout = 50ms;
  const auto client = make(options);
  const auto put = client->put("a", "1");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error(), Errc::deadline_exceeded);
  EXPECT_NE(put.error().text.find("127.0.0.1:1"), std::string::npos) << put.error().text;
  EXPECT_EQ(client->get("a").error(), Errc::deadline_exceeded);
  EXPECT_EQ(client->remove("a").error(), Errc::deadline_exceeded);
  EXPECT_EQ(client->remove_range({"a", "b"}).error(), Errc::deadline_exceeded);
  const auto listed = client->list({}, {}, [](const std::string&) { return true; });
  EXPECT_EQ(listed.error(), Errc::deadline_exceeded);
  EXPECT_NE(client->trouble(), "");
}

TEST(BlockingClient, interrupt_ends_calls_of_every_thread_and_refuses_later_ones) {
  const auto client = make(unreachable());
  auto put = std::async(std::launch::async, [&] { return client->put("a", "1"); });
  auto follow = std::async(std::launch::async,
                           [&] { return client->follow_changes({}, {}, [](const Change&, const Positions&) { return true; }); });
  auto sequence =
      std::async(std::launch::async, [&] { return client->follow_sequence("s", "p", [](const std::string&) { return true; }); });
  client->interrupt();
  EXPECT_EQ(put.get().error(), Errc::cancelled);
  EXPECT_EQ(follow.get().error(), Errc::cancelled);
  EXPECT_EQ(sequence.get().error(), Errc::cancelled);
  EXPECT_EQ(client->get("a").error(), Errc::cancelled);
}

TEST(BlockingClient, every_started_put_is_told_how_it_ended) {
  ClientOptions options = unreachable();
  options.request_timeout = 50ms;
  options.pending_operations_max = 4;
  const auto client = make(options);
  std::atomic<int> failed = 0;
  for (int i = 0; i < 20; ++i) {
    client->start_put("k" + std::to_string(i), "v", {}, [&failed](const Result<PutResult>& result) { failed += !result; });
  }
  client->finish_puts();
  EXPECT_EQ(failed, 20);
}

TEST(BlockingClient, destroying_it_ends_puts_that_nobody_waited_for) {
  std::atomic<int> ended = 0;
  {
    const auto client = make(unreachable());
    for (int i = 0; i < 10; ++i) client->start_put("k", "v", {}, [&ended](const auto&) { ++ended; });
  }
  EXPECT_EQ(ended, 10);
}

}  // namespace
}  // namespace skerry::client
