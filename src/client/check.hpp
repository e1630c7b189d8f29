// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "base/result.hpp"
#include "client/types.hpp"

// What is refused before it is sent, so that one bad request does not spoil the batch it would travel in. Every failure is
// invalid_argument and says which limit or rule was broken.
namespace skerry::client {

constexpr std::string_view tls_scheme = "tls://";   // before an address: with TLS
// Takes the scheme off the addresses and notes it in `tls`; it is all of them or none.
Result<> settle_tls(ClientOptions& options);
Result<> check(const ClientOptions& options);
Result<> check_key(std::string_view what, std::string_view key);   // UTF-8, and within limits::key_bytes_max
Result<> check_batch(const AtomicBatch& batch);
Result<> check_range(const KeyRange& range, const RangeOptions& options);
Result<> check_put(std::string_view key, std::string_view value, const PutOptions& options);

}  // namespace skerry::client
