// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/result.hpp"
#include "net/tls.hpp"

struct ssl_st;

namespace skerry::net {

// The oldest error that OpenSSL has noted on this thread, in words; forgets them all.
std::string tls_error_text();

// Why a connection failed, from what OpenSSL has just noted, told so that a person knows what to change.
// invalid_argument where only another configuration helps, here or there: trying again is no use.
Error tls_failure(ssl_st* connection, TlsRole role, const std::string& peer, const std::string& wanted_name);

}  // namespace skerry::net
