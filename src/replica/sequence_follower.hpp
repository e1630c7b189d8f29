// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "runtime/task.hpp"

namespace skerry::replica {

// Tells one client the highest key made from a sequence prefix: the current one first, if there is one, then each later one, or
// only the latest when the client is slow. Owned by the client's stream; not to be used when the shard is gone.
class SequenceFollower {
 public:
  virtual ~SequenceFollower() = default;
  virtual Task<Result<Bytes>> next() = 0;   // fails with not_serving when the shard stops
};

}  // namespace skerry::replica
