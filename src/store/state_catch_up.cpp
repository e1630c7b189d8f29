// SPDX-License-Identifier: Apache-2.0
#include "store/state_catch_up.hpp"

#include <fmt/format.h>

#include "runtime/core.hpp"
#include "store/entry.hpp"
#include "store/layout.hpp"
#include "store/reshape_error.hpp"

namespace skerry::store {
namespace {

constexpr std::size_t told_key_bytes = 128;

std::unexpected<Error> both_have(Space space, BytesView name) {
  if (space == Space::sessions) {
    return fail(ReshapeError::sessions_collide, "both shards have a session of one id: merge them when its client has gone");
  }
  return fail(ReshapeError::foreign_records,
              fmt::format("both shards have a record under {}, by different partition keys: delete one of them first",
                          printable(name, told_key_bytes)));
}

}  // namespace

Result<> StateCatchUp::note(BytesView encoded) {
  TRY(const Entry entry, decode_entry(encoded));
  for (const Effect& effect : entry.effects) {
    if (effect.space == Space::meta || effect.action == Effect::Action::sequence) continue;
    if (effect.action == Effect::Action::erase_range) return fail(Errc::unsupported, "a range was deleted meanwhile");
    touched_.emplace(effect.space, Bytes(effect.key));
  }
  if (const auto& request = entry.header.request) {
    touched_.emplace(Space::requests, request_slot_key(request->client, request->sequence));
  }
  return {};
}

Task<Result<>> StateCatchUp::settle() {
  for (const Place& place : std::exchange(touched_, {})) {
    while (parts_.has_room && !parts_.has_room()) co_await parts_.core.sleep_for(10ms);
    std::vector<Bytes> values;
    for (ShardEngine* parent : parts_.parents) {
      Bytes value;
      CO_TRY(const bool there, co_await read(*parent, place.first, place.second, value));
      if (there) values.push_back(std::move(value));
    }
    CO_TRYV(stage(place, std::move(values)));
    if (parts_.core.yield_due()) co_await parts_.core.yield();
  }
  co_return Result<>{};
}

Task<Result<bool>> StateCatchUp::read(ShardEngine& parent, Space space, Bytes key, Bytes& value) {
  for (;;) {
    const Lookup found = parent.try_get(space, key, value);
    if (found != Lookup::cold) co_return found == Lookup::value;
    CO_TRYV(co_await parent.load(space, {key}));
  }
}

Result<> StateCatchUp::stage(const Place& place, std::vector<Bytes> values) {
  const auto& [space, key] = place;
  std::size_t kept = 0;
  if (values.size() > 1 && space == Space::requests) {   // the newer, as the place itself would
    TRY(const RequestSlot one, decode_request_slot(values[0]));
    TRY(const RequestSlot other, decode_request_slot(values[1]));
    kept = other.stamp > one.stamp ? 1 : 0;
  } else if (values.size() > 1) {
    return both_have(space, space == Space::records ? decode_key(parts_.order, key) : key);
  }
  const bool there = !values.empty();
  if (there && space == Space::records) {
    TRY(const RecordView record, decode_record(values.front()));
    TRYV(owner_of({&parts_.hashes, 1}, decode_key(parts_.order, key), record));
  }
  const Write write{there ? Write::Kind::put : Write::Kind::erase, space, key, there ? BytesView(values[kept]) : BytesView()};
  parts_.child->stage({&write, 1});
  return {};
}

}  // namespace skerry::store
