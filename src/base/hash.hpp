// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

#include "base/bytes.hpp"

namespace skerry {

// CRC32C (Castagnoli, reflected polynomial 0x82F63B78), as in RFC 3720. `seed` continues an earlier checksum.
std::uint32_t crc32c(BytesView bytes, std::uint32_t seed = 0);

// The low 32 bits of XXH3-64 with seed 0: where a key or partition key belongs in a namespace's hash ranges.
std::uint32_t key_hash(BytesView key);

// XXH3-64 with seed 0: whether two texts are the same.
std::uint64_t fingerprint(BytesView text);

}  // namespace skerry
