// SPDX-License-Identifier: Apache-2.0
#include "store/expected_keys.hpp"

#include <array>

#include "base/assert.hpp"

namespace skerry::store {

void expect_records(ShardState& state, std::span<const BytesView> keys) {
  SKERRY_ASSERT(keys.size() <= expected_keys_max);
  Bytes encoded;
  std::array<std::size_t, expected_keys_max> ends;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    append_encoded(state.order, keys[i], encoded);
    ends[i] = encoded.size();
  }
  std::array<BytesView, expected_keys_max> views;
  for (std::size_t i = 0, start = 0; i < keys.size(); start = ends[i++]) {
    views[i] = BytesView(encoded).substr(start, ends[i] - start);
  }
  state.engine.expect(Space::records, std::span(views).first(keys.size()));
}

}  // namespace skerry::store
