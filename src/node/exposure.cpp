// SPDX-License-Identifier: Apache-2.0
#include "node/exposure.hpp"

namespace skerry::node {

bool is_loopback(const net::Address& address) {
  return address.host == "localhost" || address.host == "::1" || address.host.starts_with("127.");
}

void warn_of_exposure(const Exposure& exposure, const Logger& log) {
  if (is_loopback(exposure.address)) return;
  const bool certificates = exposure.tls && exposure.tls->client_auth == net::ClientAuth::require;
  if (!exposure.tokens && !certificates) {
    log.warn("other machines may reach this address, and nobody is asked who they are; --insecure silences this",
             {{"port", exposure.port}, {"address", exposure.address.text()}});
  } else if (!exposure.tls) {
    log.warn(
        "other machines may reach this address, and without TLS whoever listens on the way reads tokens and records; "
        "--insecure silences this",
        {{"port", exposure.port}, {"address", exposure.address.text()}});
  }
}

bool serves_json(ServeJson wish, const net::Address& admin_address, const SecurityOptions& security) {
  if (wish != ServeJson::by_itself) return wish == ServeJson::yes;
  const bool certificates = security.admin_tls && security.admin_tls->client_auth == net::ClientAuth::require;
  return is_loopback(admin_address) || security.auth.on() || certificates;
}

}  // namespace skerry::node
