// SPDX-License-Identifier: Apache-2.0
#include "base/hash.hpp"

#include <array>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace skerry {
namespace {

constexpr auto crc32c_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0);
    table[i] = value;
  }
  return table;
}();

}  // namespace

std::uint32_t crc32c(BytesView bytes, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
#if defined(__SSE4_2__)
  std::uint64_t wide = crc;
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    wide = _mm_crc32_u64(wide, word);
    bytes.remove_prefix(8);
  }
  crc = static_cast<std::uint32_t>(wide);
#endif
  for (const char c : bytes) crc = crc32c_table[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t key_hash(BytesView key) { return static_cast<std::uint32_t>(XXH3_64bits(key.data(), key.size())); }

std::uint64_t fingerprint(BytesView text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace skerry
