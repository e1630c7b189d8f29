// SPDX-License-Identifier: Apache-2.0
// Records, log entries, replies and the shard's own tables: decoders are safe on anything, and what they take they can give back.
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "store/entry.hpp"
#include "store/layout.hpp"
#include "store/memory_engine.hpp"
#include "store/notification.hpp"
#include "store/record.hpp"
#include "store/reply.hpp"
#include "store/state_machine.hpp"

using namespace skerry;
using namespace skerry::store;

namespace {

void try_record(BytesView bytes) {
  const auto record = decode_record(bytes);
  if (!record) return;
  const auto indexes = record->indexes();
  Bytes again;
  append_record(*record, indexes, again);
  const auto twice = decode_record(again);
  SKERRY_ASSERT(twice && twice->version_id == record->version_id && twice->modified == record->modified &&
                twice->session == record->session && twice->value == record->value && twice->indexes().size() == indexes.size());
}

void try_entry(BytesView bytes) {
  (void)decode_entry_header(bytes);
  (void)decode_notifications(KeyOrder::hierarchical, Offset(0), bytes);
  const auto entry = decode_entry(bytes);
  if (entry) {
    Bytes effects;
    for (const Effect& effect : entry->effects) append_effect(effect, effects);
    const Bytes again = encode_entry(entry->header, effects);
    const auto twice = decode_entry(again);
    SKERRY_ASSERT(twice && twice->effects.size() == entry->effects.size() && twice->header.stamp == entry->header.stamp);
  }
  MemoryEngine engine;
  StateMachine machine(ShardId(0), KeyOrder::hierarchical, **engine.shard(ShardId(0)));
  const bool applied = machine.apply(Offset(0), bytes).has_value();
  SKERRY_ASSERT(machine.applied() == (applied ? Offset(0) : no_offset));
}

void try_tables(BytesView bytes) {
  (void)decode_owner(bytes);
  (void)decode_session_key(bytes);
  (void)decode_session(bytes);
  (void)decode_request_slot(bytes);
  (void)decode_counters(bytes);
  (void)decode_term(bytes);
  if (const auto outcome = decode_outcome(bytes)) SKERRY_ASSERT(decode_outcome(encode_outcome(*outcome)).has_value());
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView bytes(reinterpret_cast<const char*>(data), size);
  try_record(bytes);
  try_entry(bytes);
  try_tables(bytes);
  return 0;
}
