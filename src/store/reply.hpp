// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "store/operations.hpp"

namespace skerry::store {

// The answer to a write as it is remembered for retries: self-describing, versioned, safe to decode from any bytes.
Bytes encode_outcome(const WriteOutcome& outcome);
Result<WriteOutcome> decode_outcome(BytesView encoded);

}  // namespace skerry::store
