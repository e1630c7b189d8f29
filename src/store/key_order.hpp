// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/bytes.hpp"

namespace skerry::store {

// How a namespace sorts its keys. Keys are stored encoded so that byte order is key order; fixed for a namespace's life.
//   hierarchical: by depth (count of '/'), then bytes with '/' highest; so "/a/" … "/a//" are the direct children of /a.
//   natural: raw bytes.
// In both, keys below "__oxia/" sort after every other key. Source: Oxia's public key encoding, version 1.
enum class KeyOrder : std::uint8_t { hierarchical = 1, natural = 2 };
constexpr std::string_view order_name(KeyOrder order) { return order == KeyOrder::natural ? "natural" : "hierarchical"; }

constexpr BytesView internal_prefix = "__oxia/";

void append_encoded(KeyOrder order, BytesView key, Bytes& out);
Bytes encode_key(KeyOrder order, BytesView key);
// Undoes encode_key. For any other bytes the result is unspecified, but reading it is safe.
Bytes decode_key(KeyOrder order, BytesView encoded);

// Whether `key` belongs to the names that are hidden from reads unless asked for.
constexpr bool is_internal(BytesView key) { return key.starts_with(internal_prefix); }
// Where the encoded internal keys start: above every encoded user key.
BytesView internal_start(KeyOrder order);

// The order of what follows a fixed name that ends in '/', as in Oxia's "__oxia/idx/NAME/REST": as if the whole were encoded,
// without the name's own bytes. For comparing with other such parts only, and there is no way back but take_part().
void append_encoded_part(KeyOrder order, BytesView part, Bytes& out);
Bytes take_part(KeyOrder order, BytesView encoded);

}  // namespace skerry::store
