// SPDX-License-Identifier: Apache-2.0
// Keys: encoding keeps what it is given and sorts as it promises; decoding is safe on anything. The first byte chooses the order.
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "store/key_order.hpp"
#include "store/layout.hpp"
#include "store/path_escape.hpp"
#include "store/sequence_key.hpp"

using namespace skerry;
using namespace skerry::store;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const KeyOrder order = data[0] % 2 == 0 ? KeyOrder::hierarchical : KeyOrder::natural;
  const BytesView bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  (void)decode_key(order, bytes);
  (void)take_part(order, bytes);
  (void)decode_index_entry(order, bytes);
  (void)decode_shadow_key(bytes);
  if (const auto unescaped = path_unescape(bytes)) SKERRY_ASSERT(*path_unescape(path_escape(*unescaped)) == *unescaped);
  SKERRY_ASSERT(*path_unescape(path_escape(bytes)) == bytes);

  if (find_invalid_utf8(bytes)) return 0;   // never reaches the encoder
  const Bytes encoded = encode_key(order, bytes);
  SKERRY_ASSERT(decode_key(order, encoded) == bytes);
  SKERRY_ASSERT((encoded >= internal_start(order)) == is_internal(bytes));
  if (order == KeyOrder::natural && !is_internal(bytes)) SKERRY_ASSERT(encoded == bytes);

  // Cut in two: a secondary and a primary key.
  std::size_t cut = bytes.size() / 2;
  while (cut > 0 && find_invalid_utf8(bytes.substr(0, cut))) --cut;
  const auto entry = decode_index_entry(order, index_entry_key(order, bytes, bytes.substr(0, cut), bytes.substr(cut)));
  SKERRY_ASSERT(entry && entry->name == bytes && entry->secondary == bytes.substr(0, cut) && entry->primary == bytes.substr(cut));
  const std::uint64_t deltas[] = {1, 0};
  const auto made = make_sequence_key(bytes, deltas, std::nullopt);
  SKERRY_ASSERT(made && is_sequence_key(bytes, *made) &&
                encode_key(order, *made) < encode_key(order, sequence_search_bound(bytes)));
  return 0;
}
