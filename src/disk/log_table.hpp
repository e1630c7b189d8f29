// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "disk/log.hpp"
#include "disk/log_format.hpp"

namespace skerry::disk {

// Where a record stands.
struct LogPlace {
  std::uint64_t generation = 0;
  std::uint64_t position = 0;

  friend bool operator==(const LogPlace&, const LogPlace&) = default;
};

// Where the segment before ended: written at the head of a segment, 0 and 0 in the first.
struct PreviousSegment {
  std::uint64_t generation = 0;
  std::uint64_t end = 0;

  friend bool operator==(const PreviousSegment&, const PreviousSegment&) = default;
};

// What the log knows of its shards after some prefix of its records, and where their entries stand. Pure: the writer feeds it
// what it appends, recovery what it reads, and both arrive at the same. Entries are found by sparse points: one at the first
// entry of a shard in each segment, and then at every one that stands index_step bytes behind the last point or follows
// a truncation.
class LogTable {
 public:
  static constexpr std::uint64_t index_step = 32 << 10;

  // Whether the record may follow what is known; the error (invalid_argument) says why not.
  Result<> check(const RecordHeader& record) const;
  // False when the record would leave everything as it is.
  bool changes(const RecordHeader& record) const;
  // Requires: check() accepts it.
  void apply(const RecordHeader& record, LogPlace place);

  bool knows(ShardId shard) const { return shards_.contains(shard); }
  LogShard shard(ShardId shard) const;
  std::map<ShardId, LogShard> shards() const;
  const std::vector<TermStart>& terms(ShardId shard) const { return find(shard).runs; }
  // Changes whenever entries of the shard have become others: truncated, replaced by a snapshot, deleted.
  std::uint64_t incarnation(ShardId shard) const;

  // A place from which walking forward finds the entry; nothing when there is no such entry or no place is known.
  struct Point {
    Offset offset;
    LogPlace place;
  };
  std::optional<Point> point_before(ShardId shard, Offset offset) const;

  // The oldest segment that holds an entry somebody may still read, and the lowest shard that it holds one of.
  struct Holder {
    std::uint64_t generation;
    ShardId shard;
  };
  std::optional<Holder> oldest_holder() const;
  // A shard whose entries are not all to be found: a segment is missing.
  std::optional<ShardId> incomplete() const;

  Bytes encode_summary(PreviousSegment previous) const;
  // Replaces everything known; corrupt when the bytes make no sense.
  Result<PreviousSegment> load_summary(BytesView bytes);

  // What a closed segment's footer holds: the summary at its end, and for each shard the points that lie in the segment.
  Bytes encode_state(PreviousSegment previous, std::uint64_t generation) const;
  // Requires: everything known is from before that segment. Arrives at what its records would have led to; when the bytes
  // make no sense (corrupt), nothing is changed. `end` is that of the segment's records.
  Result<PreviousSegment> load_state(BytesView bytes, LogPlace end);
  // Of what encode_state() or encode_summary() made.
  static PreviousSegment previous_of(BytesView bytes);
  // No less than encode_state() of that segment could take, also after one more record.
  std::uint64_t state_bytes_max(std::uint64_t generation) const;

 private:
  struct Shard {
    Term term = no_term;
    MembershipVersion version{0};
    Offset first{0};         // oldest entry that is kept; last + 1 when there is none
    Offset last = no_offset;
    Offset snapshot = no_offset;
    std::vector<TermStart> runs;   // by offset; the first covers first - 1, so that a truncation to there knows its term
    std::deque<Point> points;
    bool point_due = false;      // after a truncation: walking on from an older point would meet what was cut off
    std::uint64_t incarnation = 0;

    bool empty() const { return first > last; }
    Term last_term() const { return runs.empty() ? no_term : runs.back().term; }
    LogShard shown() const;
    void append(const RecordHeader& record, LogPlace place);
    void truncate(Offset last_kept);
    void install(Term snapshot_term, Offset offset);
    void trim(Offset first_kept);
    void drop_points();
    // Puts the points known from earlier segments before the own ones, as far as they still lead to kept entries.
    void inherit_points(const std::deque<Point>& older);
  };
  using Shards = std::map<ShardId, Shard>;

  static Result<> check(const Shard& shard, const RecordHeader& record);
  const Shard& find(ShardId shard) const;
  static std::optional<Shard> decode_shard(ByteReader& reader);
  static bool decode_points(ByteReader& reader, Shard& shard, LogPlace end);
  struct Summary {
    PreviousSegment previous;
    Shards shards;
  };
  static Result<Summary> decode_summary(ByteReader& reader);
  void append_shards(Bytes& out, PreviousSegment previous) const;
  void append_versions(Bytes& out) const;
  static bool decode_versions(ByteReader& reader, Shards& shards);
  void replace(Shards shards);
  void change(Shard& shard, const RecordHeader& record, LogPlace place);

  Shards shards_;
  std::size_t runs_ = 0;         // of all shards
  std::size_t new_points_ = 0;   // made by records of `newest_generation_`, also those that were dropped since
  std::uint64_t newest_generation_ = 0;
  std::uint64_t incarnations_ = 0;
};

}  // namespace skerry::disk
