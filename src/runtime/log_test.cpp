// SPDX-License-Identifier: Apache-2.0
#include "runtime/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

struct LoggerWorld {
  explicit LoggerWorld(LogFormat format = LogFormat::text, std::string levels = "info")
      : registry(clock, {.format = format,
                         .levels = *LogLevels::parse(levels),
                         .background = false,
                         .sink = [this](std::string_view line) { lines.emplace_back(line); }}) {}
  ManualClock clock;
  std::vector<std::string> lines;
  LogRegistry registry;
};

TEST(Log, a_line_has_time_level_core_module_message_and_fields) {
  LoggerWorld world;
  world.registry.logger("store", CoreId{3})
      .info("listening", {{"address", std::string("[::1]:80")},
                          {"shards", 4},
                          {"ratio", 0.5},
                          {"took", 1500us},
                          {"ok", true},
                          {"shard", ShardId{7}}});
  ASSERT_EQ(world.lines.size(), 1U);
  EXPECT_EQ(
      world.lines[0],
      "2019-12-20T00:00:00.000Z info  core=3 store: listening address=[::1]:80 shards=4 ratio=0.5 took=1.500ms ok=true shard=7");
}

TEST(Log, values_that_would_confuse_a_reader_are_quoted_and_escaped) {
  LoggerWorld world;
  world.registry.logger("store").warn("odd",
                                      {{"a", "two words"}, {"b", ""}, {"c", "line\nbreak \x1B[31m \"q\""}, {"d", "bad\xFF"}});
  EXPECT_THAT(world.lines[0], EndsWith(R"(odd a="two words" b="" c="line\nbreak \u001b[31m \"q\"" d="bad\u00ff")"));
}

TEST(Log, json_lines_hold_the_same) {
  LoggerWorld world(LogFormat::json);
  world.registry.logger("store", CoreId{0})
      .error("failed", {{"reason", Error{Errc::io_failed, "disk \"a\""}}, {"took", 2ms}, {"n", std::uint64_t{1}}});
  EXPECT_EQ(world.lines[0], R"({"time":"2019-12-20T00:00:00.000Z","level":"error","core":0,"module":"store","message":"failed",)"
                            R"("reason":"disk \"a\"","took":2,"n":1})");
}

TEST(Log, levels_are_per_module_and_change_while_running) {
  LoggerWorld world(LogFormat::text, "warn,store=debug");
  const Logger store = world.registry.logger("store"), rpc = world.registry.logger("rpc");
  store.debug("1");
  rpc.info("2");
  EXPECT_EQ(world.lines.size(), 1U);
  EXPECT_EQ(world.registry.levels(), "warn,store=debug");
  world.registry.set_levels(*LogLevels::parse("error,rpc=trace"));
  store.warn("3");
  rpc.trace("4");
  ASSERT_EQ(world.lines.size(), 2U);
  EXPECT_THAT(world.lines[1], EndsWith("rpc: 4"));
}

TEST(Log, bad_levels_are_refused_with_what_is_expected) {
  for (const auto* bad : {"", "loud", "info,", "store=", "=info", "info,store=loud"}) {
    const auto levels = LogLevels::parse(bad);
    ASSERT_FALSE(levels) << bad;
    EXPECT_THAT(levels.error().message(), HasSubstr("expected a level"));
  }
}

TEST(Log, the_background_thread_writes_everything_before_it_ends) {
  const SystemClock clock;
  int count = 0;
  {
    LogRegistry registry(clock, {.sink = [&count](std::string_view) { ++count; }});
    const Logger log = registry.logger("store");
    for (int i = 0; i < 1000; ++i) log.info("line");
  }
  EXPECT_EQ(count, 1000);
}

}  // namespace
}  // namespace skerry
