// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "store/entry.hpp"
#include "store/key_order.hpp"
#include "store/layout.hpp"
#include "store/notification.hpp"
#include "store/page_token.hpp"
#include "store/path_escape.hpp"
#include "store/record.hpp"
#include "store/reply.hpp"
#include "store/sequence_key.hpp"

namespace skerry::store {
namespace {

using namespace std::literals;

bool less(KeyOrder order, BytesView a, BytesView b) { return encode_key(order, a) < encode_key(order, b); }

TEST(KeyOrder, hierarchical_sorts_by_depth_then_bytes_with_the_slash_last) {
  const std::vector<BytesView> sorted = {"",           "__oxia",           "aaaaa",    "/",          "/a",      "/b",
                                         "//",         "/aaaa/bbbbbbbbbb", "/a/",      "/a/a-1",     "/a/a-2",  "/a//",
                                         "/b/c",       "/aaaa/a/a",        "/a/b/a/b", "/a/b/a/a/a", "__oxia/", "__oxia/a-test",
                                         "__oxia/xyz", "__oxia/session/1"};
  for (std::size_t i = 0; i + 1 < sorted.size(); ++i)
    EXPECT_TRUE(less(KeyOrder::hierarchical, sorted[i], sorted[i + 1])) << sorted[i] << " < " << sorted[i + 1];
}

TEST(KeyOrder, hierarchical_bytes_are_the_published_ones) {
  EXPECT_EQ(encode_key(KeyOrder::hierarchical, "/a/b"), "\x00\x02\xFF"s + "a\xFF" + "b");
  EXPECT_EQ(encode_key(KeyOrder::hierarchical, "/a//"), "\x00\x02\xFF"s + "a\xFF\xFF");
  EXPECT_EQ(encode_key(KeyOrder::hierarchical, ""), "\x00\x00"s);
  EXPECT_EQ(encode_key(KeyOrder::hierarchical, "__oxia/x"), "\x80\x01__oxia\xFFx"s);
}

TEST(KeyOrder, a_slash_is_encoded_wherever_it_stands) {
  for (std::size_t at = 0; at < 20; ++at) {
    Bytes key(20, 'a'), encoded = "\x00\x01"s + key;
    key[at] = '/';
    encoded[2 + at] = '\xFF';
    EXPECT_EQ(encode_key(KeyOrder::hierarchical, key), encoded);
  }
}

TEST(KeyOrder, depth_counts_up_to_its_cap) {
  const Bytes deep(40'000, '/'), deeper(40'001, '/');
  EXPECT_EQ(encode_key(KeyOrder::hierarchical, deep).substr(0, 2), "\x7F\xFF"s);
  EXPECT_TRUE(less(KeyOrder::hierarchical, deep, deeper));
  EXPECT_TRUE(less(KeyOrder::hierarchical, deeper, "__oxia/"));
}

TEST(KeyOrder, natural_sorts_by_bytes_with_internal_keys_last) {
  EXPECT_EQ(encode_key(KeyOrder::natural, "/a/b"), "/a/b");
  EXPECT_EQ(encode_key(KeyOrder::natural, "__oxia/x"), "\xFF\xFFoxia/x");
  EXPECT_TRUE(less(KeyOrder::natural, "\xF4\x8F\xBF\xBF", "__oxia/"));
}

TEST(KeyOrder, decoding_undoes_encoding) {
  for (const KeyOrder order : {KeyOrder::hierarchical, KeyOrder::natural})
    for (const BytesView key : {"", "/", "//", "a//", "/a/b", "__oxia/", "__oxia/a/b//", "__oxi", "oxia/", "é/x"})
      EXPECT_EQ(decode_key(order, encode_key(order, key)), key);
}

TEST(KeyOrder, decoding_reads_nothing_outside_short_bytes) {
  for (const KeyOrder order : {KeyOrder::hierarchical, KeyOrder::natural})
    for (const BytesView encoded : {""sv, "\x00"sv, "\xFF"sv, "\xFF\xFF"sv}) (void)decode_key(order, encoded);
  EXPECT_EQ(decode_key(KeyOrder::hierarchical, "\x00"sv), "");
}

TEST(PathEscape, escapes_as_oxia_does) {
  EXPECT_EQ(path_escape("azAZ09-_.~$&+:=@"), "azAZ09-_.~$&+:=@");
  EXPECT_EQ(path_escape("/a b%;,?!'()*\x01é"), "%2Fa%20b%25%3B%2C%3F%21%27%28%29%2A%01%C3%A9");
}

TEST(PathEscape, unescaping_undoes_it_and_refuses_broken_escapes) {
  const Bytes all = "/a b%\x00\xFF"s;
  EXPECT_EQ(*path_unescape(path_escape(all)), all);
  EXPECT_EQ(*path_unescape("%2f"), "/");
  for (const BytesView broken : {"%", "%2", "a%", "%zz", "%2g", "%%20"})
    EXPECT_EQ(path_unescape(broken).error(), Errc::invalid_argument) << broken;
}

RecordView full_record() {
  RecordView record;
  record.version_id = VersionId(1234567);
  record.modifications = 7;
  record.created = Stamp(100);
  record.modified = Stamp(200);
  record.session = SessionId(std::int64_t{5} << 44 | 17);
  record.client_identity = "identity";
  record.partition_key = "";
  record.value = "the value";
  return record;
}

TEST(Record, keeps_every_field) {
  const SecondaryIndex indexes[] = {{"one", "key"}, {"", ""}};
  Bytes encoded;
  append_record(full_record(), indexes, encoded);
  const auto decoded = decode_record(encoded);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->version_id, VersionId(1234567));
  EXPECT_EQ(decoded->modifications, 7);
  EXPECT_EQ(decoded->created, Stamp(100));
  EXPECT_EQ(decoded->modified, Stamp(200));
  EXPECT_EQ(decoded->session, full_record().session);
  EXPECT_EQ(decoded->client_identity, "identity");
  EXPECT_EQ(decoded->partition_key, "");
  EXPECT_EQ(decoded->value, "the value");
  ASSERT_EQ(decoded->indexes().size(), 2U);
  EXPECT_EQ(decoded->indexes()[0].name, "one");
  EXPECT_EQ(decoded->indexes()[1].key, "");
}

TEST(Record, what_is_absent_takes_no_room) {
  RecordView record;
  record.created = record.modified = Stamp(1);
  record.value = "v";
  Bytes encoded;
  append_record(record, {}, encoded);
  EXPECT_EQ(encoded.size(), 1U + 1 + 1 + 1 + 8 + 1);
  const auto decoded = decode_record(encoded);
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(decoded->session || decoded->client_identity || decoded->partition_key);
  EXPECT_TRUE(decoded->indexes().empty());
  EXPECT_EQ(decoded->modified, decoded->created);
}

TEST(Record, a_header_cut_anywhere_or_of_another_format_is_corrupt) {
  const SecondaryIndex indexes[] = {{"name", "key"}};
  Bytes encoded;
  append_record(full_record(), indexes, encoded);
  const std::size_t header = encoded.size() - full_record().value.size();
  for (std::size_t size = 0; size < header; ++size)
    EXPECT_EQ(decode_record(BytesView(encoded).substr(0, size)).error(), Errc::corrupt) << size;
  encoded[0] = 2;
  EXPECT_EQ(decode_record(encoded).error(), Errc::corrupt);
  encoded[0] = 1;
  encoded[1] = static_cast<char>(0xFF);
  EXPECT_EQ(decode_record(encoded).error(), Errc::corrupt);
}

Bytes sample_entry() {
  Bytes effects;
  append_effect({Effect::Action::put, Space::records, NotificationKind::created, "key", "value"}, effects);
  append_effect({Effect::Action::erase, Space::shadows, std::nullopt, "shadow", {}}, effects);
  append_effect({Effect::Action::erase_range, Space::records, NotificationKind::range_deleted, "from", "to"}, effects);
  append_effect({Effect::Action::sequence, Space::records, std::nullopt, "prefix", {}}, effects);
  return encode_entry({EntryKind::write, true, Stamp(77), VersionId(8), RememberedRequest{"client", 9, "reply"}}, effects);
}

TEST(Entry, keeps_header_and_effects_in_order) {
  const Bytes encoded = sample_entry();
  const auto entry = decode_entry(encoded);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->header.kind, EntryKind::write);
  EXPECT_TRUE(entry->header.atomic);
  EXPECT_EQ(entry->header.stamp, Stamp(77));
  EXPECT_EQ(entry->header.next_version_id, VersionId(8));
  ASSERT_TRUE(entry->header.request);
  EXPECT_EQ(entry->header.request->client, "client");
  EXPECT_EQ(entry->header.request->sequence, 9U);
  EXPECT_EQ(entry->header.request->reply, "reply");
  ASSERT_EQ(entry->effects.size(), 4U);
  EXPECT_EQ(entry->effects[0].value, "value");
  EXPECT_EQ(entry->effects[0].notification, NotificationKind::created);
  EXPECT_EQ(entry->effects[1].space, Space::shadows);
  EXPECT_EQ(entry->effects[2].value, "to");
  EXPECT_EQ(entry->effects[3].action, Effect::Action::sequence);
  EXPECT_EQ(decode_entry_header(encoded)->stamp, Stamp(77));
}

TEST(Entry, cut_inside_an_effect_or_the_header_it_is_corrupt) {
  const Bytes encoded = sample_entry();
  std::size_t whole = 0;   // a cut between effects is a shorter entry: the log's checksum, not this, tells it from a whole one
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    const auto entry = decode_entry(BytesView(encoded).substr(0, size));
    if (entry) ++whole;
    else EXPECT_EQ(entry.error(), Errc::corrupt);
  }
  EXPECT_EQ(whole, 4U);
}

TEST(Entry, unknown_formats_kinds_flags_and_effects_are_corrupt) {
  const Bytes good = encode_entry({EntryKind::barrier, false, Stamp(1), VersionId(0), std::nullopt}, {});
  ASSERT_TRUE(decode_entry(good));
  for (const auto& [at, byte] : std::vector<std::pair<std::size_t, char>>{{0, 2}, {1, 0}, {1, 7}, {2, 4}}) {
    Bytes bad = good;
    bad[at] = byte;
    EXPECT_EQ(decode_entry(bad).error(), Errc::corrupt) << at;
  }
  const auto effect = [&](Effect one) {
    Bytes effects;
    append_effect(one, effects);
    return decode_entry(good + effects);
  };
  EXPECT_FALSE(effect({Effect::Action::put, static_cast<Space>(0), std::nullopt, "k", "v"}));
  EXPECT_FALSE(effect({Effect::Action::put, Space::meta, NotificationKind::created, "k", "v"}));
  EXPECT_FALSE(effect({Effect::Action::put, Space::records, NotificationKind::deleted, "k", "v"}));
  EXPECT_FALSE(effect({Effect::Action::erase, Space::records, NotificationKind::created, "k", {}}));
  EXPECT_FALSE(effect({Effect::Action::erase, Space::records, NotificationKind::range_deleted, "k", {}}));
  EXPECT_FALSE(effect({Effect::Action::sequence, Space::records, NotificationKind::created, "k", {}}));
  EXPECT_FALSE(effect({Effect::Action::erase, Space::records, static_cast<NotificationKind>(5), "k", {}}));
}

TEST(Reply, keeps_every_outcome) {
  WriteOutcome outcome;
  outcome.puts.push_back({Status::ok, {VersionId(5), 2, 1000, 2000, SessionId(7), Bytes("me")}, Bytes("made")});
  outcome.puts.push_back({Status::ok, {VersionId(6), 0, 1, 1, std::nullopt, std::nullopt}, std::nullopt});
  outcome.puts.push_back({Status::session_does_not_exist, {}, {}});
  outcome.deletes = {Status::ok, Status::key_not_found, Status::unexpected_version_id};
  outcome.delete_ranges = {Status::ok};
  const Bytes encoded = encode_outcome(outcome);
  const auto decoded = decode_outcome(encoded);
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->puts.size(), 3U);
  EXPECT_EQ(decoded->puts[0].version.session, SessionId(7));
  EXPECT_EQ(decoded->puts[0].version.client_identity, "me");
  EXPECT_EQ(decoded->puts[0].key, "made");
  EXPECT_EQ(decoded->puts[1].version.version_id, VersionId(6));
  EXPECT_EQ(decoded->puts[2].status, Status::session_does_not_exist);
  EXPECT_EQ(decoded->deletes, outcome.deletes);
  EXPECT_EQ(decoded->delete_ranges, outcome.delete_ranges);
  for (std::size_t size = 0; size < encoded.size(); ++size)
    EXPECT_EQ(decode_outcome(BytesView(encoded).substr(0, size)).error(), Errc::corrupt) << size;
  EXPECT_FALSE(decode_outcome(encoded + "x"));
}

TEST(Reply, keeps_why_an_atomic_batch_was_rejected) {
  for (const Rejection& rejection : {Rejection{Rejection::Part::guard, 3, Status::ok, VersionId(70'000)},
                                     Rejection{Rejection::Part::operation, 0, Status::unexpected_version_id, std::nullopt}}) {
    const Bytes encoded = encode_outcome({{}, {}, {}, rejection});
    const auto decoded = decode_outcome(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->rejection, rejection);
    for (std::size_t size = 0; size < encoded.size(); ++size)
      EXPECT_EQ(decode_outcome(BytesView(encoded).substr(0, size)).error(), Errc::corrupt) << size;
    EXPECT_FALSE(decode_outcome(encoded + "x"));
  }
}

// Logs and state of the version before atomic batches and times to live.
TEST(Formats, bytes_written_before_are_read) {
  const auto record = decode_record("\x01\x01\x05\x02\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0value"sv);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->version_id, VersionId(5));
  EXPECT_EQ(record->value, "value");
  EXPECT_FALSE(record->expires_millis);
  Bytes again;
  append_record(*record, {}, again);
  EXPECT_EQ(again, "\x01\x01\x05\x02\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0value"sv);

  const auto entry = decode_entry("\x01\x01\0\x09\0\0\0\0\0\0\0\x03\x06\x01k"sv);
  ASSERT_TRUE(entry);
  EXPECT_FALSE(entry->header.atomic);
  EXPECT_EQ(entry->effects.size(), 1U);

  const auto reply = decode_outcome("\x01\x01\0\0\x05\x02\x64\x64\0\0"sv);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->puts.at(0).version.version_id, VersionId(5));
  EXPECT_FALSE(reply->puts.at(0).version.expires_millis);
}

TEST(Record, tells_when_it_is_due_to_go) {
  RecordView record;
  record.created = record.modified = Stamp(7);
  record.expires_millis = 123'456'789'012;
  record.value = "v";
  Bytes encoded;
  append_record(record, {}, encoded);
  const auto decoded = decode_record(encoded);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->expires_millis, record.expires_millis);
  EXPECT_EQ(decoded->value, "v");
}

TEST(Layout, expiries_sort_by_when_they_are_due) {
  EXPECT_LT(expiry_key(255, "z"), expiry_key(256, "a"));
  const auto expiry = decode_expiry_key(expiry_key(9, "/k\0"sv));
  ASSERT_TRUE(expiry);
  EXPECT_EQ(expiry->due_millis, 9U);
  EXPECT_EQ(expiry->key, "/k\0"sv);
  EXPECT_EQ(decode_expiry_key("short").error(), Errc::corrupt);
}

TEST(PageToken, tells_where_each_shard_goes_on) {
  const Range walk{"/a", "/z", std::nullopt};
  const std::string token = encode_page_token(walk, {ShardId(2), "/k", std::nullopt});
  EXPECT_FALSE(find_invalid_utf8(token));
  const auto position = decode_page_token(walk, token);
  ASSERT_TRUE(position);
  EXPECT_EQ(position->key, "/k");
  EXPECT_FALSE(resume_at(ShardId(1), *position).inclusive);
  EXPECT_FALSE(resume_at(ShardId(2), *position).inclusive);
  EXPECT_TRUE(resume_at(ShardId(3), *position).inclusive);   // equal keys come in order of shard
}

TEST(PageToken, of_another_walk_or_damaged_is_refused) {
  const Range walk{"/a", "/z", "by-age"};
  const std::string token = encode_page_token(walk, {ShardId(0), Bytes("/k\xFF"), Bytes("30")});
  ASSERT_TRUE(decode_page_token(walk, token));
  EXPECT_EQ(decode_page_token(walk, token)->secondary_key, "30");
  Range other = walk;
  for (const auto& change : std::vector<std::function<void()>>{[&] { other.start = "/b"; }, [&] { other.end = ""; },
                                                               [&] { other.index.reset(); }, [&] { other.reverse = true; }}) {
    other = walk;
    change();
    EXPECT_NE(decode_page_token(other, token).error().text.find("another walk"), std::string::npos);
  }
  for (std::size_t size = 0; size < token.size(); ++size)
    EXPECT_EQ(decode_page_token(walk, token.substr(0, size)).error(), Errc::invalid_argument) << size;
  for (const char* bad : {"", "?", "AAAA", "/a", "AQAAAAAAAAAA"})
    EXPECT_EQ(decode_page_token(walk, bad).error(), Errc::invalid_argument) << bad;
}

TEST(Layout, index_entries_come_apart_as_they_were_put_together) {
  for (const KeyOrder order : {KeyOrder::hierarchical, KeyOrder::natural}) {
    const auto entry = decode_index_entry(order, index_entry_key(order, "na\0me\x01"sv,
                                                                 "a/\x01"
                                                                 "b",
                                                                 "/p\x01%"));
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->name, "na\0me\x01"s);
    EXPECT_EQ(entry->secondary,
              "a/\x01"
              "b");
    EXPECT_EQ(entry->primary, "/p\x01%");
    for (const BytesView bad : {""sv, "name"sv, "n\0"sv, "n\0\x01"sv, "n\0\x01\0\0no separator"sv, "n\0\x01\0\0x\x01%2"sv})
      EXPECT_EQ(decode_index_entry(order, bad).error(), Errc::corrupt) << printable(bad);
  }
}

TEST(Layout, no_index_is_inside_another) {
  const Bytes names[] = {"", "a", "a\0"s, "a\0\x01"s, "a\0\xFF"s, "ab", "\0"s};
  for (const Bytes& one : names)
    for (const Bytes& other : names)
      EXPECT_EQ(index_prefix(one).starts_with(index_prefix(other)), one == other) << printable(one) << printable(other);
}

TEST(Layout, index_bounds_stand_where_oxia_has_them) {
  const auto entry = [](BytesView secondary) { return index_entry_key(KeyOrder::hierarchical, "i", secondary, "p"); };
  const auto bound = [](BytesView secondary) { return index_bound(KeyOrder::hierarchical, "i", secondary); };
  // "__oxia/idx/i/" and "/" make a "//" together: it counts one slash less.
  EXPECT_LT(entry("z"), bound("/"));
  EXPECT_LT(bound("/"), entry("a/b"));
  EXPECT_LT(bound("/a/"), entry("/a/b"));
  EXPECT_LT(entry("/a/b"), bound("/a//"));
  EXPECT_LT(bound("/a//"), entry("/a/b/c"));
}

TEST(Layout, sessions_counters_and_slots_keep_what_they_hold) {
  const SessionRecord session{5000ms, "identity", VersionId(3), Stamp(9), true};
  const auto decoded = decode_session(encode_session(session));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->timeout, 5000ms);
  EXPECT_EQ(decoded->client_identity, "identity");
  EXPECT_EQ(decoded->version_id, VersionId(3));
  EXPECT_EQ(decoded->created, Stamp(9));
  EXPECT_TRUE(decoded->ending);
  const auto counters = decode_counters(encode_counters({Stamp(1), VersionId(2), Stamp(3)}));
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->next_version_id, VersionId(2));
  EXPECT_EQ(counters->last_range_deletion, Stamp(3));
  const Bytes slot = encode_request_slot({17, Stamp(4), "reply"});
  EXPECT_EQ(decode_request_slot(slot)->reply, "reply");
  EXPECT_EQ(decode_request_slot(slot)->sequence, 17U);
  EXPECT_EQ(decode_shadow_key(shadow_key(SessionId(5), "/x"))->key, "/x");
  for (const BytesView bad : {""sv, "\x02"sv, "\x01"sv, "short"sv}) {
    EXPECT_EQ(decode_session(bad).error(), Errc::corrupt);
    EXPECT_EQ(decode_counters(bad).error(), Errc::corrupt);
    EXPECT_EQ(decode_request_slot(bad).error(), Errc::corrupt);
    EXPECT_EQ(decode_session_key(bad).error(), Errc::corrupt);
    EXPECT_EQ(decode_shadow_key(bad).error(), Errc::corrupt);
    EXPECT_EQ(decode_owner(bad).error(), Errc::corrupt);
  }
}

TEST(Layout, a_request_takes_the_slot_of_the_one_a_window_older) {
  EXPECT_EQ(request_slot_key("c", 5), request_slot_key("c", 1029));
  EXPECT_NE(request_slot_key("c", 5), request_slot_key("c", 6));
  EXPECT_NE(request_slot_key("c", 5), request_slot_key("d", 5));
}

std::shared_ptr<const NotificationBatch> batch(std::int64_t offset, std::size_t key_bytes) {
  return std::make_shared<NotificationBatch>(
      NotificationBatch{Offset(offset), Stamp(1), {{Bytes(key_bytes, 'k'), NotificationKind::created, VersionId(1), {}}}});
}

TEST(NotificationRing, drops_the_oldest_beyond_its_budget_but_never_the_newest) {
  NotificationRing ring(6000);   // an entry counts twice: followers are sent it encoded
  EXPECT_EQ(ring.first(), no_offset);
  EXPECT_EQ(ring.at(Offset(0)), nullptr);
  for (std::int64_t i = 5; i < 15; ++i) ring.push(batch(i, 1000));
  EXPECT_EQ(ring.last(), Offset(14));
  EXPECT_EQ(ring.first(), Offset(13));
  EXPECT_EQ(ring.at(Offset(13))->offset, Offset(13));
  EXPECT_EQ(ring.at(Offset(12)), nullptr);
  EXPECT_EQ(ring.at(Offset(15)), nullptr);
  ring.push(batch(15, 100'000));
  EXPECT_EQ(ring.first(), Offset(15));
  EXPECT_NE(ring.at(Offset(15)), nullptr);
  ring.push(batch(16, 10));
  EXPECT_EQ(ring.first(), Offset(16));
}

TEST(Notifications, bytes_that_are_no_entry_are_corrupt) {
  EXPECT_EQ(decode_notifications(KeyOrder::natural, Offset(1), "").error(), Errc::corrupt);
  Bytes effects;
  append_effect({Effect::Action::put, Space::records, NotificationKind::created, "k", "no record"}, effects);
  const Bytes entry = encode_entry({EntryKind::write, false, Stamp(1), VersionId(1), std::nullopt}, effects);
  EXPECT_EQ(decode_notifications(KeyOrder::natural, Offset(1), entry).error(), Errc::corrupt);
}

}   // namespace
}   // namespace skerry::store
