// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace skerry::store {

// One segment of a URL path (RFC 3986): letters, digits and -_.~$&+:=@ stand for themselves, every other byte is %XX with
// capital digits. Oxia names shadows and index entries after their record this way; such a name has no '/' and no byte below '$'.
void append_path_escaped(BytesView text, Bytes& out);
Bytes path_escape(BytesView text);
// Fails with invalid_argument on a '%' that two hexadecimal digits don't follow.
Result<Bytes> path_unescape(BytesView escaped);

}   // namespace skerry::store
