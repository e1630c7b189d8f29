// SPDX-License-Identifier: Apache-2.0
#include "replica/link_messages.hpp"

#include <limits>

namespace skerry::replica {
namespace {

void write(const EntryId& id, wire::EntryId& out) {
  out.set_term(id.term.value());
  out.set_offset(id.offset.value());
}

EntryId read(const wire::EntryId& in) { return {Term(in.term()), Offset(in.offset())}; }

// Counting on from an id must not overflow.
bool is_id(std::int64_t value) { return value >= -1 && value < std::numeric_limits<std::int64_t>::max() / 2; }
bool is_id(const wire::EntryId& in) { return is_id(in.term()) && is_id(in.offset()); }

std::unexpected<Error> refuse(const char* what) {
  return fail(Errc::corrupt, std::string("a node sent ") + what + " with ids that can't be");
}

}  // namespace

void write(const Append& message, ShardId shard, std::span<const BytesView> entries, wire::Append& out) {
  out.set_shard(shard.value());
  out.set_term(message.term.value());
  out.set_membership_version(message.version.value());
  write(message.previous, *out.mutable_previous());
  out.set_entries_term(message.entries_term.value());
  out.set_commit(message.commit.value());
  for (const BytesView entry : entries) out.add_entries(entry.data(), entry.size());
}

void write(const AppendAnswer& message, ShardId shard, wire::AppendAnswer& out) {
  out.set_shard(shard.value());
  out.set_kind(wire::AppendAnswer::Kind(static_cast<int>(message.kind)));
  out.set_term(message.term.value());
  out.set_incarnation(message.incarnation.value());
  out.set_membership_version(message.version.value());
  out.set_matched(message.matched.value());
  out.set_commit(message.commit.value());
  out.set_missing(message.missing.value());
  write(message.newest, *out.mutable_newest());
}

void write(const Heartbeat& message, wire::Heartbeat& out) {
  out.set_incarnation(message.incarnation.value());
  out.set_number(message.number);
  out.set_news_from(message.news_from.value());
  out.set_news_up_to(message.news_up_to);
}

void write(const HeartbeatAnswer& message, wire::HeartbeatAnswer& out) {
  out.set_to(message.to.value());
  out.set_number(message.number);
  out.set_incarnation(message.incarnation.value());
  out.set_news_up_to(message.news_up_to);
  out.set_complete(message.complete);
  for (const FencedNews& each : message.news) {
    auto& news = *out.add_news();
    news.set_shard(each.shard.value());
    news.set_term(each.term.value());
  }
}

void write(const SnapshotHeader& message, ShardId shard, BytesView head, wire::SnapshotOffer& out) {
  out.set_shard(shard.value());
  out.set_term(message.term.value());
  out.set_membership_version(message.version.value());
  write(message.entry, *out.mutable_entry());
  out.set_head(head.data(), head.size());
}

void write(const store::SnapshotPlace& message, wire::SnapshotPlace& out) {
  out.set_blocks(message.blocks);
  out.set_records(message.records);
  out.set_crc(message.crc);
  out.set_space(static_cast<std::uint32_t>(message.space));
  out.set_key(message.key);
}

Result<Append> read(const wire::Append& in) {
  if (!is_id(in.shard()) || !is_id(in.term()) || !is_id(in.membership_version()) || !is_id(in.previous()) ||
      !is_id(in.entries_term()) || !is_id(in.commit())) {
    return refuse("entries");
  }
  Append out{.term = Term(in.term()),
             .version = MembershipVersion(in.membership_version()),
             .previous = read(in.previous()),
             .entries_term = Term(in.entries_term()),
             .commit = Offset(in.commit())};
  out.last = Offset(out.previous.offset.value() + in.entries_size());
  return out;
}

Result<AppendAnswer> read(const wire::AppendAnswer& in) {
  if (!is_id(in.shard()) || !is_id(in.term()) || !is_id(in.membership_version()) || !is_id(in.matched()) || !is_id(in.commit()) ||
      !is_id(in.missing()) || !is_id(in.newest()) || !wire::AppendAnswer::Kind_IsValid(in.kind())) {
    return refuse("an answer");
  }
  return AppendAnswer{.kind = static_cast<AppendAnswer::Kind>(in.kind()),
                      .term = Term(in.term()),
                      .incarnation = Incarnation(in.incarnation()),
                      .version = MembershipVersion(in.membership_version()),
                      .matched = Offset(in.matched()),
                      .commit = Offset(in.commit()),
                      .missing = Offset(in.missing()),
                      .newest = read(in.newest())};
}

Heartbeat read(const wire::Heartbeat& in) {
  return {.incarnation = Incarnation(in.incarnation()),
          .number = in.number(),
          .news_from = Incarnation(in.news_from()),
          .news_up_to = in.news_up_to()};
}

Result<HeartbeatAnswer> read(const wire::HeartbeatAnswer& in) {
  HeartbeatAnswer out{.to = Incarnation(in.to()),
                      .number = in.number(),
                      .incarnation = Incarnation(in.incarnation()),
                      .news_up_to = in.news_up_to(),
                      .complete = in.complete()};
  for (const auto& each : in.news()) {
    if (!is_id(each.shard()) || !is_id(each.term())) return refuse("news");
    out.news.push_back({ShardId(each.shard()), Term(each.term())});
  }
  return out;
}

Result<SnapshotHeader> read(const wire::SnapshotOffer& in) {
  if (!is_id(in.shard()) || !is_id(in.term()) || !is_id(in.membership_version()) || !is_id(in.entry()))
    return refuse("a snapshot");
  return SnapshotHeader{
      .term = Term(in.term()), .version = MembershipVersion(in.membership_version()), .entry = read(in.entry())};
}

store::SnapshotPlace read(const wire::SnapshotPlace& in) {
  return {.blocks = in.blocks(),
          .records = in.records(),
          .crc = in.crc(),
          .space = store::Space{static_cast<std::uint8_t>(in.space())},
          .key = in.key()};
}

}  // namespace skerry::replica
