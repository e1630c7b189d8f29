// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/bytes.hpp"

namespace skerry::store {

// How a namespace sorts its keys. Keys are stored encoded so that byte order is key order; fixed for a namespace's life.
//   hierarchical: by depth (count of '/'), then bytes with '/' highest; so "/a/" … "/a//" are the direct children of /a.
//   natural: raw bytes.
// In both, keys below "__oxia/" sort after every other key. Source: Oxia's public key encoding, version 1.
enum class KeyOrder : std::uint8_t { hierarchical = 1, natural = 2 };

constexpr BytesView internal_prefix = "__oxia/";

void append_encoded(KeyOrder order, BytesView key, Bytes& out);
Bytes encode_key(KeyOrder order, BytesView key);
Bytes decode_key(KeyOrder order, BytesView encoded);

}  // namespace skerry::store
