// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>

#include "base/histogram.hpp"
#include "base/result.hpp"
#include "load/target.hpp"

namespace skerry::bench {

// One measured run.
struct Load {
  double put_share = 1.0;            // 1: puts only, 0: gets only
  std::size_t value_bytes = 128;
  std::uint64_t keys = 100'000;      // chosen uniformly
  bool each_once = false;            // closed loop: puts every key once, in random order, and ends with that
  std::size_t batch = 1;             // operations a message
  std::size_t in_flight = 1;         // closed loop: messages on the way at any time; open loop: at most
  double rate = 0;                   // operations a second, due at even intervals (open loop); 0: as fast as answers come
  bool gather = false;               // open loop: what is due goes as one message, of at most `batch` operations
  std::optional<RangeRead::What> range;   // closed loop: reads all keys, or all records, again and again
  std::size_t followers = 0;              // of the changes that the puts make
  std::size_t follower_connections = 1;
  Duration warm_up = 1s;             // not counted
  Duration length = 5s;
  std::uint64_t seed = 1;
};

struct Report {
  std::uint64_t operations = 0;      // answered within the counted time
  Duration elapsed{};
  // Of messages; of operations where they were gathered. In the open loop from when a message was due, not from when it was sent:
  // a stall is felt by everything that was due while it lasted (coordinated omission).
  Histogram latency;
  // Open loop: how late the generator itself was. Where this is not small beside the latency, the run measures the generator.
  Histogram lateness;
  Histogram delivered;   // from when a message was due to when a follower had what it changed
  std::uint64_t slowest_second = 0;   // operations answered in it
};

// Writes every key once, so that gets find something. In batches of 100 where the protocol has them.
Task<Result<>> preload(Core& core, Target& target, Load load);
Task<Result<Report>> run_load(Core& core, Target& target, Load load);

}   // namespace skerry::bench
