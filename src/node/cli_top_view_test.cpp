// SPDX-License-Identifier: Apache-2.0
#include "node/cli_top_view.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace skerry::node {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string reading(int puts, int fast, int all, double cpu) {
  return fmt::format(
      "# HELP anything\n# TYPE anything counter\n"
      "process_start_time_seconds 1000\nprocess_resident_memory_bytes 1.048576e+07\nprocess_cpu_seconds_total {3}\n"
      "skerry_loop_busy_seconds_total{{core=\"0\"}} {3}\n"
      "oxia_server_db_puts_total{{core=\"0\",oxia_namespace=\"default\",shard=\"0\"}} {0}\n"
      "oxia_server_db_puts_total{{core=\"0\",oxia_namespace=\"a \\\"b\\\"\",shard=\"1\"}} 7\n"
      "oxia_server_leader_commit_offset{{oxia_namespace=\"default\",shard=\"0\"}} 42\n"
      "grpc_server_handling_milliseconds_bucket{{grpc_service=\"x.y.Store\",grpc_method=\"Write\",le=\"1\"}} {1}\n"
      "grpc_server_handling_milliseconds_bucket{{grpc_service=\"x.y.Store\",grpc_method=\"Write\",le=\"5\"}} {2}\n"
      "grpc_server_handling_milliseconds_bucket{{grpc_service=\"x.y.Store\",grpc_method=\"Write\",le=\"+Inf\"}} {2}\n",
      puts, fast, all, cpu);
}

TopView view_of(const std::string& before, const std::string& after, Duration apart = 2s) {
  return compare(parse_metrics(before).value(), parse_metrics(after).value(), apart, 1090);
}

TEST(Metrics, are_parsed_with_labels_and_escapes) {
  const auto samples = parse_metrics("a 1\nb{x=\"1\",y=\"q\\\"\\n\\\\\"} 2.5e3 1700000000\n\n# c\nd{} +Inf\n");
  ASSERT_TRUE(samples) << samples.error().message();
  ASSERT_EQ(samples->size(), 3U);
  EXPECT_EQ(samples->at(1).labels.at("y"), "q\"\n\\");
  EXPECT_EQ(samples->at(1).value, 2500);
}

TEST(Metrics, that_are_no_metrics_are_refused_with_the_line) {
  for (const std::string text : {"<html>", "a{x=\"1\" 2", "a{x} 1", "a one", "a{x=\"1\",} "}) {
    const auto parsed = parse_metrics("fine 1\n" + text + "\n");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), Errc::invalid_argument);
  }
}

TEST(Top, shows_rates_since_the_last_look) {
  const TopView view = view_of(reading(100, 10, 10, 1), reading(300, 109, 110, 2));
  EXPECT_EQ(view.puts, 100);
  EXPECT_EQ(view.cpu, 0.5);
  EXPECT_EQ(view.uptime_seconds, 90);
  ASSERT_EQ(view.shards.size(), 2U);
  EXPECT_EQ(view.shards[0].name_space, "a \"b\"");
  EXPECT_EQ(view.shards[1].puts, 100);
  EXPECT_EQ(view.shards[1].commit, 42);
  ASSERT_EQ(view.methods.size(), 1U);
  EXPECT_EQ(view.methods[0].name, "Store/Write");
  EXPECT_EQ(view.methods[0].per_second, 50);
  EXPECT_EQ(view.methods[0].p50_ms, 1);
}

TEST(Top, takes_a_process_that_started_anew_from_nothing) {
  EXPECT_EQ(view_of(reading(1000, 0, 0, 5), reading(50, 0, 0, 1)).puts, 25);
  EXPECT_TRUE(view_of("", "").shards.empty());
}

TEST(Top, fits_the_terminal_and_says_what_is_left_out) {
  const TopView view = view_of(reading(0, 0, 0, 0), reading(1, 1, 1, 1));
  EXPECT_THAT(top_text(view, "here:1", 100), Not(HasSubstr("more")));
  EXPECT_THAT(top_text(view, "here:1", 1), HasSubstr("2 shards more"));
}

TEST(Top, prints_json_that_others_read) {
  boost::system::error_code error;
  const auto parsed = boost::json::parse(top_json(view_of(reading(100, 10, 10, 1), reading(300, 109, 110, 2))), error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_EQ(parsed.at("puts_per_second").to_number<double>(), 100);
  EXPECT_EQ(parsed.at("shards").as_array().size(), 2U);
  boost::json::parse(top_json(view_of("", "")), error);
  EXPECT_FALSE(error);
}

TEST(TopView, knows_a_coordinator_by_its_metrics_and_where_it_is_called) {
  EXPECT_EQ(coordinator_in(*parse_metrics("skerry_coordinator_in_office{address=\"10.0.0.1:6651\"} 1\n"), "h"), "10.0.0.1:6651");
  EXPECT_EQ(coordinator_in(*parse_metrics("skerry_coordinator_in_office{address=\"0.0.0.0:6651\"} 0\n"), "h"), "h:6651");
  EXPECT_EQ(coordinator_in(*parse_metrics("process_open_fds 7\n"), "h"), std::nullopt);
}

}  // namespace
}  // namespace skerry::node
