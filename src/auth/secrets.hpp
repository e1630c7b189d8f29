// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace skerry::auth {

// SHA-256, 32 bytes.
Bytes sha256(BytesView bytes);
// Whether both are the same, in a time that tells nothing of where they differ; only their lengths may show.
bool equal_secrets(BytesView a, BytesView b);

// Bytes that nobody can foresee, from the system's own source of chance: a seed must not repeat a secret.
Bytes random_secret(std::size_t size);

std::string to_hex(BytesView bytes);
std::optional<Bytes> from_hex(std::string_view text);
// RFC 4648 section 5, without padding, as in tokens. Nothing when it is malformed or not the one form of its bytes.
std::optional<Bytes> from_base64url(std::string_view text);
std::string to_base64url(BytesView bytes);

}  // namespace skerry::auth
