// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace skerry::rpc {

// An HTTP/2 server's first and last words to a client that it cannot take: empty SETTINGS, then GOAWAY with code and reason.
Bytes refusal(std::uint32_t http2_code, std::string_view reason);

// What a port that takes TLS only says to a client that spoke plainly, in the protocol of its first bytes; "" where none is
// known.
Bytes refusal_without_tls(BytesView first);

}   // namespace skerry::rpc
