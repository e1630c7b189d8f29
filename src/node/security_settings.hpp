// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/result.hpp"
#include "node/security.hpp"
#include "runtime/settings.hpp"

namespace skerry::node {

// The settings of TLS and authentication, under the names that Oxia's configuration gives them. A part of the settings of
// whichever process serves ports.
class SecuritySettings {
 public:
  void declare(Settings& settings);
  // Of processes that are part of a cluster: their internal port, and how they call those of others. `also` is the section that
  // Oxia's files have for the latter.
  void declare_internal(Settings& settings, const std::string& also);
  // After settings.load(). Reads nothing.
  Result<SecurityOptions> options() const;

 private:
  struct Tls {
    bool enabled = false;
    std::string cert_file, key_file, trusted_ca_file, cipher_suites, min_version = "1.2", max_version = "1.3";
    bool client_auth = false;
    const Setting* enabled_setting = nullptr;
  };
  struct TlsNames {
    std::string port, flags, oxia_section;
  };
  static void declare_tls(Settings& settings, Tls& tls, const TlsNames& names);
  void declare_auth(Settings& settings);
  static Result<std::optional<net::TlsOptions>> tls_options(const Tls& tls, const std::string& section);
  Result<AuthOptions> auth_options() const;
  Result<std::optional<net::TlsOptions>> peer_options() const;

  Tls public_tls_, metrics_tls_, internal_tls_;
  struct Peer {
    bool enabled = false, skip_verify = false;
    std::string cert_file, key_file, trusted_ca_file, server_name;
  };
  Peer peer_;
  bool auth_enabled_ = false, metrics_auth_ = true;
  std::string provider_, provider_params_, users_file_;
  Duration reload_interval_ = 5s;
  const Setting* auth_enabled_setting_ = nullptr;
};

}   // namespace skerry::node
