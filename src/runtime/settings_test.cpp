// SPDX-License-Identifier: Apache-2.0
#include "runtime/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace skerry {
namespace {

using testing::HasSubstr;

struct Fields {
  std::string address = "127.0.0.1:6648";
  bool sync = true;
  bool compress = false;
  std::uint16_t shards = 1;
  std::int64_t cache = 100 << 20;
  Duration retention = 1h;
  double ratio = 0.5;
  std::string provider = "file";
  std::string token = "s3cret";
  std::vector<std::string> peers;
};

struct SettingsWorld {
  SettingsWorld() {
    settings.add("public.address", fields.address, "Where clients connect.").flags("-p,--public-addr");
    settings.add("storage.wal.sync", fields.sync, "Whether every batch is synced.");
    settings.add("storage.wal.compress", fields.compress, "Whether the log is compressed.");
    settings.add("shards", fields.shards, "Number of shards.").flags("-s,--shards").limits(1, 64);
    settings.add("storage.cache", fields.cache, "Memory for blocks.")
        .unit(Unit::mebibytes)
        .limits(1 << 20, 1 << 30)
        .flags("--db-cache-size-mb");
    settings.add("storage.wal.retention-time", fields.retention, "How long entries are kept.").limits(1s, 24h);
    settings.add("ratio", fields.ratio, "A share.").limits(0.0, 1.0);
    settings.add("metadata.provider", fields.provider, "Where status is kept.").choices({"file", "memory"});
    settings.add("auth.token", fields.token, "The secret.").secret();
    settings.add("peers", fields.peers, "Others.");
    settings.add_flags(cli);
  }
  Result<> load(std::string yaml, std::vector<std::string> environment = {}, std::vector<std::string> flags = {}) {
    std::ranges::reverse(flags);   // CLI11 takes them from the back
    cli.parse(std::move(flags));
    return settings.load({.file_name = "conf.yaml", .file_text = std::move(yaml), .environment = std::move(environment)});
  }
  std::string mistakes(std::string yaml, std::vector<std::string> environment = {}, std::vector<std::string> flags = {}) {
    const auto result = load(std::move(yaml), std::move(environment), std::move(flags));
    return result ? "nothing wrong" : result.error().message();
  }
  Fields fields;
  Settings settings;
  CLI::App cli;
};

TEST(Settings, defaults_are_the_values_of_the_fields) {
  SettingsWorld world;
  ASSERT_TRUE(world.load(""));
  EXPECT_EQ(world.fields.address, "127.0.0.1:6648");
  EXPECT_EQ(world.fields.retention, Duration(1h));
}

TEST(Settings, the_file_gives_every_kind_of_value) {
  SettingsWorld world;
  ASSERT_EQ(world.mistakes(R"(
public: {address: ":7000"}
shards: 8
ratio: 0.25
metadata: {provider: memory}
peers: [a, "b,c"]
storage:
  cache: 64MiB
  wal:
    sync: no
    retention-time: 1h30m
)"),
            "nothing wrong");
  EXPECT_EQ(world.fields.address, ":7000");
  EXPECT_EQ(world.fields.shards, 8);
  EXPECT_EQ(world.fields.ratio, 0.25);
  EXPECT_EQ(world.fields.provider, "memory");
  EXPECT_EQ(world.fields.peers, (std::vector<std::string>{"a", "b,c"}));
  EXPECT_EQ(world.fields.cache, 64 << 20);
  EXPECT_FALSE(world.fields.sync);
  EXPECT_EQ(world.fields.retention, Duration(90min));
}

TEST(Settings, flags_win_over_environment_which_wins_over_the_file) {
  SettingsWorld world;
  ASSERT_TRUE(world.load("shards: 2\nratio: 0.1\npublic: {address: 'file:1'}\n",
                         {"SKERRY_SHARDS=3", "SKERRY_RATIO=0.2", "HOME=/root"}, {"-s", "4"}));
  EXPECT_EQ(world.fields.shards, 4);
  EXPECT_EQ(world.fields.ratio, 0.2);
  EXPECT_EQ(world.fields.address, "file:1");
  EXPECT_TRUE(world.settings.warnings().empty());
}

TEST(Settings, flags_have_given_or_derived_names) {
  SettingsWorld world;
  ASSERT_TRUE(world.load("", {},
                         {"--public-addr", "h:1", "--storage-wal-retention-time", "15s", "--db-cache-size-mb=10",
                          "--no-storage-wal-sync", "--storage-wal-compress", "--peers", "x,y", "--peers", "z"}));
  EXPECT_EQ(world.fields.address, "h:1");
  EXPECT_EQ(world.fields.retention, Duration(15s));
  EXPECT_EQ(world.fields.cache, 10 << 20);
  EXPECT_FALSE(world.fields.sync);
  EXPECT_TRUE(world.fields.compress);
  EXPECT_EQ(world.fields.peers, (std::vector<std::string>{"x", "y", "z"}));
}

TEST(Settings, help_shows_default_limits_and_variable) {
  SettingsWorld world;
  const std::string help = world.cli.help();
  EXPECT_THAT(help, HasSubstr("default 100MiB; 1MiB to 1GiB; SKERRY_STORAGE_CACHE"));
  EXPECT_THAT(help, HasSubstr("-p,--public-addr TEXT"));
  EXPECT_THAT(help, HasSubstr("DURATION"));
}

TEST(Settings, unknown_keys_name_the_nearest_and_the_line) {
  SettingsWorld world;
  EXPECT_EQ(
      world.mistakes("shards: 2\nstorage:\n  wal:\n    retention-tmie: 1h\n"),
      "conf.yaml:4: \"storage.wal.retention-tmie\" is no setting of this command; did you mean storage.wal.retention-time?");
  EXPECT_THAT(world.mistakes("storge: {}"), HasSubstr("did you mean storage?"));
  EXPECT_THAT(world.mistakes("retention-time: 1h"), HasSubstr("did you mean storage.wal.retention-time?"));
  EXPECT_THAT(world.mistakes("something-else-entirely: 1"), HasSubstr("is no setting of this command"));
}

TEST(Settings, values_out_of_limits_name_value_range_and_place) {
  SettingsWorld world;
  EXPECT_EQ(world.mistakes("shards: 65"), "conf.yaml:1: shards: 65 is out of range; allowed is 1 to 64");
  EXPECT_EQ(world.mistakes("\nstorage: {cache: 2GiB}"),
            "conf.yaml:2: storage.cache: 2GiB is out of range; allowed is 1MiB to 1GiB");
  EXPECT_EQ(world.mistakes("", {"SKERRY_STORAGE_WAL_RETENTION_TIME=2d"}),
            "environment SKERRY_STORAGE_WAL_RETENTION_TIME: storage.wal.retention-time: 2d is out of range; allowed is 1s to 1d");
  EXPECT_THAT(world.mistakes("", {}, {"--ratio", "1.5"}),
              HasSubstr("flag --ratio: ratio: 1.5 is out of range; allowed is 0 to 1"));
  EXPECT_THAT(world.mistakes("metadata: {provider: etcd}"),
              HasSubstr("metadata.provider: \"etcd\" is not among what is allowed: file, memory"));
}

TEST(Settings, malformed_values_say_what_is_expected) {
  SettingsWorld world;
  EXPECT_THAT(world.mistakes("shards: many"), HasSubstr("conf.yaml:1: shards: \"many\" is no whole number"));
  EXPECT_THAT(world.mistakes("storage: {wal: {retention-time: 15}}"),
              HasSubstr("\"15\" is no duration; expected a number with a unit"));
  EXPECT_THAT(world.mistakes("storage: {cache: big}"), HasSubstr("\"big\" is no size"));
  EXPECT_THAT(world.mistakes("storage: {wal: {sync: maybe}}"), HasSubstr("\"maybe\" is neither true nor false"));
  EXPECT_THAT(world.mistakes("shards: [1, 2]"), HasSubstr("shards: expected a single value, found a list"));
  EXPECT_THAT(world.mistakes("shards:"), HasSubstr("shards: expected a single value, found nothing"));
  EXPECT_THAT(world.mistakes("storage: 5"), HasSubstr("\"storage\" is a section; expected settings in it, found a single value"));
  EXPECT_THAT(world.mistakes("ratio: .inf"), HasSubstr("ratio: \".inf\" is no number"));
}

TEST(Settings, all_mistakes_are_told_at_once_and_nothing_is_changed) {
  SettingsWorld world;
  const auto text = world.mistakes("shards: 0\nratio: 7\nunknown: 1\npublic: {address: x}\n");
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  EXPECT_EQ(world.fields.address, "127.0.0.1:6648");
}

TEST(Settings, broken_yaml_is_told_with_its_place) {
  SettingsWorld world;
  EXPECT_THAT(world.mistakes("storage: {wal: {sync: true"), testing::StartsWith("conf.yaml:1:"));
  EXPECT_THAT(world.mistakes("shards: 1\n  ratio: 2\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(world.mistakes("- a\n- b\n"), HasSubstr("expected sections and settings, found a list"));
  EXPECT_THAT(world.mistakes("shards: 1\n---\nshards: 2\n"), HasSubstr("expected one YAML document"));
  EXPECT_THAT(world.mistakes("shards: 1\nshards: 2\n"), HasSubstr("conf.yaml:2: \"shards\" is given twice"));
  EXPECT_THAT(world.mistakes("storage.cache: 5MiB"), HasSubstr("write sections as nested maps"));
  EXPECT_THAT(world.mistakes(std::string(100'000, '[')), HasSubstr("not valid YAML"));
}

TEST(Settings, a_text_that_yaml_cpp_takes_for_endlessly_many_documents_is_refused) {
  SettingsWorld world;
  EXPECT_THAT(world.mistakes("&\\n\",..\xFF\xFF\xFFx00\\n\",\n"), HasSubstr("conf.yaml"));
}

TEST(Settings, a_document_may_have_a_start_and_an_end_marker) {
  SettingsWorld world;
  EXPECT_EQ(world.mistakes("---\nshards: 2\n...\n"), "nothing wrong");
  EXPECT_EQ(world.fields.shards, 2);
}

TEST(Settings, unknown_variables_are_warnings_since_others_set_some_too) {
  SettingsWorld world;
  ASSERT_TRUE(world.load("", {"SKERRY_SERVICE_HOST=10.0.0.1"}));
  ASSERT_EQ(world.settings.warnings().size(), 1U);
  EXPECT_THAT(world.settings.warnings()[0], HasSubstr("SKERRY_SERVICE_HOST"));
}

TEST(Settings, show_gives_yaml_with_origins_that_loads_again) {
  SettingsWorld world;
  ASSERT_TRUE(world.load("shards: 2\n", {"SKERRY_RATIO=0.2"}, {"--public-addr", "h:1"}));
  const std::string shown = world.settings.show();
  EXPECT_THAT(shown, HasSubstr("shards: 2   # conf.yaml:1"));
  EXPECT_THAT(shown, HasSubstr("ratio: 0.2   # environment SKERRY_RATIO"));
  EXPECT_THAT(shown, HasSubstr("address: \"h:1\"   # flag --public-addr"));
  EXPECT_THAT(shown, HasSubstr("    retention-time: \"1h\"   # default"));
  EXPECT_THAT(shown, testing::Not(HasSubstr("s3cret")));
  SettingsWorld other;
  EXPECT_EQ(other.mistakes(shown), "nothing wrong");
  EXPECT_EQ(other.fields.shards, 2);
  EXPECT_EQ(other.fields.address, "h:1");
}

TEST(Settings, the_schema_describes_every_setting) {
  SettingsWorld world;
  const std::string schema = world.settings.schema("skerry standalone");
  EXPECT_THAT(schema, HasSubstr("\"additionalProperties\": false"));
  EXPECT_THAT(schema, HasSubstr("\"retention-time\": {"));
  EXPECT_THAT(schema, HasSubstr("\"enum\": [\"file\", \"memory\"]"));
  EXPECT_THAT(schema, HasSubstr("\"maximum\": 64"));
  EXPECT_EQ(std::ranges::count(schema, '{'), std::ranges::count(schema, '}'));
  EXPECT_THAT(schema, testing::Not(HasSubstr("s3cret")));
}

TEST(Settings, an_integer_field_never_gets_more_than_it_can_hold) {
  Settings settings;
  std::uint16_t port = 0;
  settings.add("port", port, "A port.");
  EXPECT_FALSE(settings.load({.file_name = "f", .file_text = "port: 65536", .environment = {}}));
  EXPECT_FALSE(settings.load({.file_name = "f", .file_text = "port: -1", .environment = {}}));
  EXPECT_TRUE(settings.load({.file_name = "f", .file_text = "port: 65535", .environment = {}}));
  EXPECT_EQ(port, 65535);
}

TEST(SettingValue, durations_are_read_exactly_and_written_back) {
  EXPECT_EQ(*parse_duration("250ms"), Duration(250ms));
  EXPECT_EQ(*parse_duration("1h0m0s"), Duration(1h));
  EXPECT_EQ(*parse_duration("1.5s"), Duration(1500ms));
  EXPECT_EQ(*parse_duration("0"), Duration::zero());
  for (const Duration each :
       {Duration(0s), Duration(1ns), Duration(90min), Duration(1500ms), Duration(-5s), Duration::max(), Duration::min() + 1ns}) {
    EXPECT_EQ(*parse_duration(duration_text(each)), each) << duration_text(each);
  }
  for (const auto* bad : {"", "s", "5", "1.s", "5 s", "1e3s", "--5s", "99999999999h", "0.0000000001s", "5sx", "\xFF"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(SettingValue, sizes_are_read_exactly_and_written_back) {
  EXPECT_EQ(*parse_size("64MiB"), 64 << 20);
  EXPECT_EQ(*parse_size("10MB"), 10'000'000);
  EXPECT_EQ(*parse_size("1.5Gi"), 3LL << 29);
  EXPECT_EQ(*parse_size("4096"), 4096);
  EXPECT_EQ(*parse_size("100", 1 << 20), 100 << 20);
  for (const std::int64_t each :
       {std::int64_t{0}, std::int64_t{1023}, std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(*parse_size(size_text(each)), each);
  }
  for (const auto* bad : {"", "MiB", "-1MiB", "1.0000001B", "9999999999TiB", "5 MiB", "5mib"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

}  // namespace
}  // namespace skerry
