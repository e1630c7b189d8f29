// SPDX-License-Identifier: Apache-2.0
#include "node/cli_output.hpp"

#include <gtest/gtest.h>

#include "client/error.hpp"
#include "node/cli_command.hpp"

namespace skerry::node {
namespace {

client::Version version() {
  client::Version version;
  version.version_id = VersionId{3};
  version.modifications = 2;
  version.created = WallTime(1700000000123ms);
  version.modified = WallTime(1700000001000ms);
  return version;
}

TEST(VersionJson, has_the_fields_of_oxias_client_in_their_order) {
  EXPECT_EQ(version_json("/a \"b\"", version()),
            R"({"key":"/a \"b\"","version_id":3,"created_timestamp":"2023-11-14T22:13:20.123Z",)"
            R"("modified_timestamp":"2023-11-14T22:13:21.000Z","modifications_count":2,"ephemeral":false,"session_id":0,)"
            R"("client_identity":""})");
}

TEST(VersionJson, tells_session_and_owner_of_an_ephemeral_record) {
  client::Version ephemeral = version();
  ephemeral.session = SessionId{77};
  ephemeral.client_identity = "me";
  const std::string json = version_json("a", ephemeral);
  EXPECT_NE(json.find(R"("ephemeral":true,"session_id":77,"client_identity":"me")"), std::string::npos) << json;
}

TEST(RecordJson, shows_text_as_text_and_other_bytes_as_base64) {
  client::Record record{"a", "grün", version(), "owner"};
  EXPECT_NE(record_json(record).find(R"("value":"grün")"), std::string::npos);
  EXPECT_NE(record_json(record).find(R"("secondary_key":"owner")"), std::string::npos);
  record.value = "\xFF\xFE\xFD\xFC";
  EXPECT_NE(record_json(record).find(R"("value_base64":"//79/A==")"), std::string::npos) << record_json(record);
}

TEST(ChangeText, is_one_line_for_each_kind) {
  client::Change change;
  change.key = "a";
  change.version_id = VersionId{4};
  EXPECT_EQ(change_text(change), "KEY_CREATED a version-id=4");
  change.kind = client::ChangeKind::range_deleted;
  change.version_id.reset();
  change.range_end = "z";
  EXPECT_EQ(change_text(change), "KEY_RANGE_DELETED a key-range-end=z");
  change.shard = ShardId{1};
  change.offset = Offset{9};
  change.time = WallTime(1700000000123ms);
  EXPECT_EQ(change_json(change), R"({"type":"KEY_RANGE_DELETED","key":"a","key_range_end":"z","shard":1,"offset":9,)"
                                 R"("timestamp":"2023-11-14T22:13:20.123Z"})");
}

TEST(HexDump, shows_sixteen_bytes_a_line_beside_their_text) {
  EXPECT_EQ(hex_dump(""), "");
  EXPECT_EQ(hex_dump("hello\n"), "00000000  68 65 6c 6c 6f 0a                                 |hello.|\n");
  EXPECT_EQ(hex_dump("0123456789abcdefX"),
            "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
            "00000010  58                                                |X|\n");
}

TEST(ExitStatus, tells_apart_what_scripts_branch_on) {
  using client::ClientErrc;
  EXPECT_EQ(exit_status(Error{ClientErrc::key_not_found, {}}), 3);
  EXPECT_EQ(exit_status(Error{ClientErrc::namespace_not_found, {}}), 3);
  EXPECT_EQ(exit_status(Error{ClientErrc::unexpected_version_id, {}}), 4);
  EXPECT_EQ(exit_status(Error{Errc::deadline_exceeded, {}}), 5);
  EXPECT_EQ(exit_status(Error{ClientErrc::outcome_unknown, {}}), 6);
  EXPECT_EQ(exit_status(Error{Errc::invalid_argument, {}}), 2);
  EXPECT_EQ(exit_status(Error{Errc::internal, {}}), 1);
}

}  // namespace
}  // namespace skerry::node
