// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "runtime/task.hpp"

namespace skerry::store {

// Tables of one shard, side by side: the user's records and ours never share keys.
enum class Space : std::uint8_t {
  records = 1,    // encoded user key -> record (record.hpp)
  indexes = 2,    // index entry -> stamp of the record it belongs to (layout.hpp)
  sessions = 3,   // session id -> session
  shadows = 4,    // session id + escaped user key -> stamp of the ephemeral record
  requests = 5,   // client id + slot of its window -> a remembered reply
  meta = 6,       // names -> small values: counters, term, how far orphans were swept
  expiries = 7,   // when a record is due to go + its key -> stamp of the record
};
constexpr std::size_t space_count = 8;   // one more than the highest Space, so that a space is its own index

// One blind change of state. Views are borrowed until the call that takes them returns.
struct Write {
  enum class Kind : std::uint8_t { put = 1, erase = 2, erase_range = 3 };
  Kind kind;
  Space space;
  BytesView key;      // start of the range, inclusive
  BytesView value;    // put: the value; erase_range: end of the range, exclusive
};

enum class Lookup : std::uint8_t {
  value,
  absent,
  cold,   // not in memory: load() it, then ask again
};

// A walk over one space of a shard in byte order, over the state at its creation. Never blocks: what is not in memory makes
// it cold, and load() continues.
class Cursor {
 public:
  enum class State : std::uint8_t { record, end, cold, failed };
  virtual ~Cursor() = default;
  virtual void seek(BytesView key) = 0;           // to the first key at or above
  virtual void seek_below(BytesView key) = 0;     // to the last key strictly below
  virtual void seek_last() = 0;
  virtual void next() = 0;
  virtual void previous() = 0;
  virtual State state() const = 0;
  virtual Task<Result<>> load() = 0;              // while cold: completes the last move
  virtual BytesView key() const = 0;              // valid until the next move
  virtual BytesView value() const = 0;
  virtual Error error() const = 0;                // while failed
};

// One shard's ordered state, and the offset it stands for. One core's.
class ShardEngine {
 public:
  virtual ~ShardEngine() = default;
  // Copies the value out when it is there.
  virtual Lookup try_get(Space space, BytesView key, Bytes& value) = 0;
  // The same, borrowed: until anything else is asked of the shard or applied to any shard of the engine.
  virtual Lookup find(Space space, BytesView key, BytesView& value) {
    const Lookup found = try_get(space, key, copied_);
    value = copied_;
    return found;
  }
  // Says which keys will be asked for next, so that one does not wait for memory after the other. Changes nothing else.
  virtual void expect(Space, std::span<const BytesView>) {}
  // Brings keys into memory so that try_get answers at once for a while.
  virtual Task<Result<>> load(Space space, std::vector<Bytes> keys) = 0;
  virtual std::unique_ptr<Cursor> cursor(Space space) = 0;
  // Applies the effects of entry `offset`, visible at once. State and offset become durable in one atomic step, some time later.
  virtual void apply(std::span<const Write> writes, Offset offset) = 0;
  virtual Offset applied() const = 0;
  virtual Offset durable() const = 0;   // what a crash now would leave; entries above are replayed from the log
  virtual std::uint64_t approximate_bytes() const = 0;

  // --- Another whole state in place of this one, in one atomic step. It is staged beside the one that serves, over as long as it
  // takes; at most one. What a crash leaves half staged is forgotten at the next start.
  virtual void stage_anew() = 0;   // forgets what is staged
  virtual void stage(std::span<const Write> writes) = 0;   // puts and erases, no ranges. Requires: nothing whole is staged
  // What is staged is whole and stands for that entry; it is durable when this returns. Fails with aborted when it was begun anew
  // meanwhile.
  virtual Task<Result<>> finish_staging(Offset offset) = 0;
  virtual std::optional<Offset> staged() const = 0;   // whole and durable, also after a crash
  // It is the state now, visible at once, and applied() its offset. That this was done becomes durable some time later: until
  // then a crash leaves the state before and the staged one, and the caller must know to take it again. Requires: staged().
  virtual void take_staged() = 0;

 private:
  Bytes copied_;
};

// Hears when has_room() or obstacle() of an engine may have changed. Called on its core.
class EngineListener {
 public:
  virtual ~EngineListener() = default;
  virtual void on_room_changed() = 0;
};

// The engine of one node: all its shards over one embedded store. One core's, apart from its own helper threads.
class Engine {
 public:
  virtual ~Engine() = default;
  // The same object for the same shard; creates the shard empty (applied = no_offset) when it is new.
  virtual Result<ShardEngine*> shard(ShardId shard) = 0;
  virtual std::vector<ShardId> shards() const = 0;
  virtual Task<Result<>> drop(ShardId shard) = 0;
  // Makes everything applied so far durable, in the background; each shard's durable() has risen when it returns.
  virtual Task<Result<>> checkpoint() = 0;
  // An error from background work: the node must stop accepting writes.
  virtual Result<> health() const = 0;
  // Whether more may be applied without outgrowing the memory it was given, because what is applied is not on disk yet. apply()
  // itself never refuses: who takes writes in asks first, and waits.
  virtual bool has_room() const { return true; }
  // What keeps it from writing to disk for now, such as a full disk: it goes on trying. Nothing is lost meanwhile.
  virtual std::optional<Error> obstacle() const { return std::nullopt; }
  // At most one; null takes it away.
  virtual void set_listener(EngineListener*) {}
  virtual Task<Result<>> stop() = 0;   // checkpoints and closes
};

}   // namespace skerry::store
