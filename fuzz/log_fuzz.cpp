// SPDX-License-Identifier: Apache-2.0
// Opens a log whose files are arbitrary bytes, or a real log with arbitrary edits. It must end, with a log or with an error; the
// entries it shows must be ones that were written, and a log that opened once opens again with the same content.
//
// Input: a byte of mode (bit 0: edits of a real log; bit 1: then also a crash), then
//   raw mode:  up to three segments, each: generation (1 byte), header as it would be written or not (1 byte), length
//              (2 bytes), bytes behind the header
//   edit mode: edits, each: file (1 byte), kind (1 byte: set, cut, copy to, erase, forge), position (2 bytes), value (1 byte).
//              A forged record or footer has a byte changed and its checksums put right.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/hash.hpp"
#include "disk/log.hpp"
#include "disk/log_format.hpp"
#include "disk/log_inspect.hpp"
#include "disk/testing/simulated_disk.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::disk {
namespace {

constexpr std::uint64_t segment_bytes = 8 << 10;
const std::string folder = "/log";

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

// One life of a process on the disk.
class Life {
 public:
  Life(ManualClock& clock, SimulatedDiskState& state) : clock_(clock), core_(CoreId{0}, clock, 1), disk_(core_, state) {}
  ~Life() {
    core_.drop_frames();
    log_.reset();
  }
  Result<> open() {
    auto opened = run(Log::open(core_, disk_, folder, {.segment_bytes = segment_bytes}));
    if (!opened) return fail(opened.error());
    log_ = std::move(*opened);
    return {};
  }
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    tasks_.spawn(keep(std::move(task), result));
    for (int turns = 0; !result; ++turns) {
      require(turns < 1'000'000, "opening and reading end");
      if (core_.run_turn()) continue;
      require(core_.next_timer().has_value(), "nothing waits for what never comes");
      clock_.advance(*core_.next_timer() - clock_.now());
    }
    return std::move(*result);
  }
  Log& log() { return *log_; }
  Core& core() { return core_; }
  SimulatedDisk& disk() { return disk_; }

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>& result) {
    result = co_await std::move(task);
  }

  ManualClock& clock_;
  Core core_;
  SimulatedDisk disk_;
  TaskScope tasks_{core_};
  std::unique_ptr<Log> log_;
};

// The payload says what it belongs to, so that an entry that was never written is noticed.
Bytes payload(ShardId shard, Offset offset, Term term) {
  Bytes text = fmt::format("{}/{}/{} ", shard.value(), offset.value(), term.value());
  text.resize(static_cast<std::size_t>(40 + offset.value() * 7 % 300), '.');
  return text;
}

void write_real_log(ManualClock& clock, SimulatedDiskState& state) {
  Life life(clock, state);
  require(life.open().has_value(), "an empty folder opens");
  Log& log = life.log();
  Sequence last{0};
  for (std::int64_t i = 0; i < 60; ++i) {
    for (const ShardId shard : {ShardId(1), ShardId(2)}) {
      const Term term(i / 20);
      const auto sequence = log.append(shard, term, Offset(i), payload(shard, Offset(i), term));
      require(sequence.has_value(), "appends are taken");
      last = *sequence;
    }
    if (i == 30) {
      require(log.truncate(ShardId(2), Offset(i - 5)).has_value(), "truncations are taken");
      for (std::int64_t again = i - 4; again <= i; ++again) {
        require(log.append(ShardId(2), Term(1), Offset(again), payload(ShardId(2), Offset(again), Term(1))).has_value(),
                "offsets are used again");
      }
      require(log.trim(ShardId(1), Offset(20)).has_value(), "trims are taken");
    }
    if (i % 3 == 0) require(life.run(log.wait_synced(last)).has_value(), "syncs succeed");
  }
}

void put_raw_segments(ByteReader& input, SimulatedDiskState& state) {
  for (int i = 0; i < 3 && !input.rest().empty(); ++i) {
    const auto generation = input.little_endian<std::uint8_t>();
    const bool header = input.little_endian<std::uint8_t>() % 4 != 0;
    const auto length = input.little_endian<std::uint16_t>();
    const BytesView bytes = input.bytes(std::min<std::size_t>(length, input.rest().size()));
    Bytes content = header ? encode_segment_header({.generation = generation, .marker = 1, .bytes = segment_bytes}) : Bytes{};
    content += bytes;
    state.put(folder + "/" + segment_name(generation), std::move(content));
  }
}

// The same for a footer: a byte of its state, or of its own numbers. Whether `position` lies in one.
bool forge_footer(Bytes& content, const SegmentHeader& header, std::uint64_t position, std::uint8_t value) {
  if (content.size() < header.bytes || header.bytes != segment_bytes) return false;
  auto footer = decode_footer(BytesView(content).substr(SegmentFooter::place(header)), header);
  if (!footer || position < footer->state_place(header) || position >= header.bytes) return false;
  Bytes state = content.substr(footer->state_place(header), footer->state_bytes);
  if (position < SegmentFooter::place(header)) {
    state[position - footer->state_place(header)] = static_cast<char>(value);
  } else {
    (position % 2 == 0 ? footer->first_sequence : footer->next_sequence) += value;
  }
  const auto forged = encode_footer(header, *footer, state);
  if (forged) content.replace(header.bytes - forged->size(), forged->size(), *forged);
  return true;
}

// Changes a byte of the record or batch that stands over `position`, and makes its checksums right again.
void forge(Bytes& content, std::uint64_t position, std::uint8_t value) {
  const auto header = decode_segment_header(content);
  if (!header || forge_footer(content, *header, position, value)) return;
  std::optional<std::pair<std::uint64_t, RecordHeader>> found;
  const auto scan = scan_segment(content, *header, [&](const RecordHeader& record, std::uint64_t at, BytesView) -> Result<> {
    if (at <= position) found = {at, record};
    return {};
  });
  if (!scan || !found) return;
  const auto& [at, record] = *found;
  char* const bytes = content.data() + at;
  const std::uint64_t size = record_header_bytes + record.payload_bytes;
  bytes[(position - at) % size] = static_cast<char>(value);
  const auto put = [](char* out, std::uint32_t number) { std::memcpy(out, &number, sizeof number); };
  put(bytes + 8, crc32c({bytes + record_header_bytes, record.payload_bytes}));
  put(bytes, crc32c({bytes + 4, record_header_bytes - 4}, header->seed()));
}

// Whether all that is left was written by the log.
bool edit(ByteReader& input, SimulatedDiskState& state) {
  bool genuine = true;
  while (input.rest().size() >= 5) {
    const auto paths = state.paths();
    if (paths.empty()) return genuine;
    const std::string& path = paths[input.little_endian<std::uint8_t>() % paths.size()];
    const auto kind = input.little_endian<std::uint8_t>() % 5;
    const auto position = input.little_endian<std::uint16_t>();
    const auto value = input.little_endian<std::uint8_t>();
    Bytes content = state.content(path);
    if (kind == 0 && position < content.size()) content[position] = static_cast<char>(value);
    if (kind == 1) content.resize(std::min<std::size_t>(content.size(), position));
    if (kind == 4) {
      forge(content, position, value);
      genuine = false;
    }
    if (kind == 3) {
      state.erase(path);
      continue;
    }
    state.put(kind == 2 ? paths[value % paths.size()] : path, std::move(content));
  }
  return genuine;
}

// All that a log shows. With `real`, every entry must be one of those that were written; with `sound`, each can be read.
std::string show(Life& life, bool real, bool sound) {
  std::string shown;
  for (const auto& [shard, known] : life.log().shards()) {
    shown += fmt::format("{}: {} {} {} {}\n", shard.value(), known.term.value(), known.first.value(), known.last.value(),
                         known.snapshot.value());
    if (known.first == no_offset) continue;
    const auto entries = life.run(life.log().read(shard, known.first, 1 << 20));
    if (!entries) {
      require(!sound && entries.error() == Errc::corrupt, "what verifies well can be read");
      shown += entries.error().message() + "\n";
      continue;
    }
    // A forged record may claim to be so large that a read stops before it.
    if (real || sound) {
      require(static_cast<std::int64_t>(entries->size()) == known.last.value() - known.first.value() + 1, "no entry is missing");
    }
    for (const LogEntry& entry : *entries) {
      if (real) require(entry.payload == payload(shard, entry.offset, entry.term), "no entry is invented");
      shown += fmt::format("{} {} {}\n", entry.offset.value(), entry.term.value(), crc32c(entry.payload));
    }
  }
  return shown;
}

void run_one(BytesView bytes) {
  ByteReader input(bytes);
  const auto mode = input.little_endian<std::uint8_t>();
  bool real = (mode & 1) != 0;
  ManualClock clock;
  SimulatedDiskState state;
  Random random(crc32c(bytes));
  if (real) {
    write_real_log(clock, state);
    if ((mode & 2) != 0) {
      state.crash(random);
    } else {
      state.kill();
    }
    real = edit(input, state);
  } else {
    put_raw_segments(input, state);
  }
  std::string first;
  bool sound = false;
  {
    Life life(clock, state);
    require(life.disk().make_folders(folder).has_value(), "a folder can be made");
    const auto verdict = life.run(verify_log(life.core(), life.disk(), folder));
    const auto reports = life.run(scan_log(life.core(), life.disk(), folder, [](const LogRecordView&) { return Result<>{}; }));
    require(reports.has_value(), "scanning ends well whatever the bytes");
    const auto opened = life.open();
    sound = verdict.has_value();
    require(opened.has_value() || !sound, "what verifies well opens");
    if (!opened) {
      require(!opened.error().message().empty(), "a refusal says why");
      return;
    }
    first = show(life, real, sound);
  }
  state.crash(random);
  Life again(clock, state);
  require(again.open().has_value(), "what opened once opens again");
  require(show(again, real, sound) == first, "what opened once stays");
}

}  // namespace
}  // namespace skerry::disk

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  skerry::disk::run_one({reinterpret_cast<const char*>(data), size});
  return 0;
}
