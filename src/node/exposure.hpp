// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string_view>

#include "net/stream.hpp"
#include "net/tls.hpp"
#include "node/security.hpp"
#include "runtime/log.hpp"

namespace skerry::node {

bool is_loopback(const net::Address& address);

struct Exposure {
  const net::Address& address;
  std::string_view port;   // what people call it
  const std::optional<net::TlsOptions>& tls;
  bool tokens = false;     // callers must prove who they are
};
// The user's choice is taken, but not in silence: other machines may reach the address, and nothing or too little protects it.
void warn_of_exposure(const Exposure& exposure, const Logger& log);

// Whether the operators' port answers /api. By itself: where only this machine reaches it, or callers are asked who they are,
// since whoever may call there may read and write everything.
enum class ServeJson { by_itself, yes, no };
bool serves_json(ServeJson wish, const net::Address& admin_address, const SecurityOptions& security);

}   // namespace skerry::node
