// SPDX-License-Identifier: Apache-2.0
#include "serve/plain_messages.hpp"

#include <gtest/gtest.h>

#include "runtime/random.hpp"
#include "serve/convert.hpp"

namespace skerry::serve {
namespace {

// Everything that protobuf's own code writes must be what this code writes, byte for byte.
class PlainMessagesTest : public ::testing::Test {
 protected:
  Bytes text(std::size_t length_max) { return Bytes(random_.below(length_max + 1), static_cast<char>('a' + random_.below(26))); }
  std::int64_t number() {
    const auto bits = random_.below(64);
    return static_cast<std::int64_t>(random_.next() >> bits) * (random_.chance(0.1) ? -1 : 1);
  }
  store::Version version() {
    store::Version version;
    version.version_id = VersionId(random_.chance(0.2) ? 0 : number());
    version.modifications = random_.chance(0.2) ? 0 : number();
    version.created_millis = random_.chance(0.1) ? 0 : random_.next();
    version.modified_millis = random_.chance(0.1) ? 0 : random_.next();
    if (random_.chance(0.3)) version.session = SessionId(number());
    if (random_.chance(0.3)) version.client_identity = text(300);
    return version;
  }
  store::Status refusal() { return static_cast<store::Status>(1 + random_.below(3)); }
  std::optional<Bytes> perhaps(std::size_t length_max) {
    return random_.chance(0.3) ? std::optional(text(length_max)) : std::nullopt;
  }

  Random random_{42};
};

TEST_F(PlainMessagesTest, get_responses_are_written_as_protobuf_writes_them) {
  for (int i = 0; i < 2'000; ++i) {
    proto::ReadResponse expected;
    Bytes written;
    for (std::uint64_t count = random_.below(4); count > 0; --count) {
      store::GetOutcome outcome;
      if (random_.chance(0.3)) {
        outcome.status = refusal();
      } else {
        outcome = {store::Status::ok, version(), text(500), perhaps(20), perhaps(20)};
      }
      const bool include_value = random_.chance(0.7);
      append_get_response(written, outcome, include_value);
      fill(*expected.add_gets(), std::move(outcome), include_value);
    }
    ASSERT_EQ(written, expected.SerializeAsString());
  }
}

TEST_F(PlainMessagesTest, a_record_is_answered_as_what_it_was_read_to) {
  for (int i = 0; i < 500; ++i) {
    const Bytes identity = text(40), value = text(200);
    store::RecordView record;
    record.version_id = VersionId(number());
    record.modifications = number();
    record.created = Stamp(random_.next());
    record.modified = Stamp(random_.next());
    if (random_.chance(0.5)) record.session = SessionId(number());
    if (random_.chance(0.5)) record.client_identity = identity;
    record.value = value;
    const bool include_value = random_.chance(0.5);
    Bytes from_record, from_outcome;
    append_get_response(from_record, record, include_value);
    append_get_response(from_outcome, {store::Status::ok, record.version(), value, {}, {}}, include_value);
    ASSERT_EQ(from_record, from_outcome);
  }
}

TEST_F(PlainMessagesTest, write_responses_are_written_as_protobuf_writes_them) {
  for (int i = 0; i < 2'000; ++i) {
    store::WriteOutcome outcome;
    for (std::uint64_t count = random_.below(5); count > 0; --count) {
      outcome.puts.push_back(random_.chance(0.3) ? store::PutOutcome{refusal(), {}, {}}
                                                 : store::PutOutcome{store::Status::ok, version(), perhaps(200)});
    }
    for (std::uint64_t count = random_.below(3); count > 0; --count) {
      outcome.deletes.push_back(random_.chance(0.5) ? store::Status::ok : refusal());
      outcome.delete_ranges.push_back(store::Status::ok);
    }
    Bytes written;
    append_write_response(written, outcome);
    proto::WriteResponse expected;
    fill(expected, std::move(outcome));
    ASSERT_EQ(written, expected.SerializeAsString());
  }
}

TEST_F(PlainMessagesTest, requests_are_read_as_protobuf_reads_them) {
  PlainRead plain;
  for (int i = 0; i < 2'000; ++i) {
    proto::ReadRequest request;
    request.set_shard(number());
    for (std::uint64_t count = random_.below(5); count > 0; --count) {
      proto::GetRequest& get = *request.add_gets();
      get.set_key(text(200));
      get.set_include_value(random_.chance(0.5));
      get.set_comparison_type(static_cast<proto::KeyComparisonType>(random_.below(5)));
      if (random_.chance(0.3)) get.set_secondary_index_name(text(20));
    }
    const Bytes message = request.SerializeAsString();
    ASSERT_TRUE(plain.parse(message));
    EXPECT_EQ(plain.shard().value(), request.shard());
    ASSERT_EQ(plain.gets().size(), static_cast<std::size_t>(request.gets_size()));
    for (int at = 0; at < request.gets_size(); ++at) {
      const store::Get expected = get_view(request.gets(at)), &found = plain.gets()[static_cast<std::size_t>(at)];
      EXPECT_EQ(found.key, expected.key);
      EXPECT_EQ(found.include_value, expected.include_value);
      EXPECT_EQ(found.comparison, expected.comparison);
      EXPECT_EQ(found.index, expected.index);
    }
  }
}

TEST_F(PlainMessagesTest, whatever_is_unusual_is_left_to_protobuf) {
  PlainRead plain;
  proto::ReadRequest request;
  request.add_gets()->set_key("k");
  EXPECT_FALSE(plain.parse(request.SerializeAsString())) << "it names no shard";
  request.set_shard(1);
  const Bytes message = request.SerializeAsString();
  ASSERT_TRUE(plain.parse(message));
  for (std::size_t cut = 1; cut < message.size(); ++cut) {
    const bool between_fields = cut == 2;   // after the shard: a request for nothing
    EXPECT_EQ(plain.parse(message.substr(0, cut)), between_fields) << cut;
  }
  EXPECT_FALSE(plain.parse(message + Bytes("\x98\x06\x01", 3))) << "a field that this version does not know";
  request.mutable_gets(0)->set_comparison_type(static_cast<proto::KeyComparisonType>(9));
  EXPECT_FALSE(plain.parse(request.SerializeAsString())) << "a comparison that this version does not know";
}

}  // namespace
}  // namespace skerry::serve
