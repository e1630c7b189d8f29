// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <system_error>

namespace skerry::store {

// Why shards can't be split or merged, as far as a coordinator acts on it. Everything else is an Errc.
enum class ReshapeError {
  outdated = 1,       // another term has begun
  behind,             // this replica does not have all that is committed, or is not fenced: it can't make the copy
  foreign_records,    // a record lies where its hash does not belong, or a key in two shards that are to be one
  sessions_collide,   // shards that are to be one have sessions of the same id
};
std::error_code make_error_code(ReshapeError code);

}  // namespace skerry::store

template <>
struct std::is_error_code_enum<skerry::store::ReshapeError> : std::true_type {};
