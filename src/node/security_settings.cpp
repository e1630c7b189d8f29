// SPDX-License-Identifier: Apache-2.0
#include "node/security_settings.hpp"

#include <fmt/format.h>

namespace skerry::node {
namespace {

bool given(const Setting* setting) { return setting->origin() != "default"; }

}  // namespace

void SecuritySettings::declare(Settings& settings) {
  declare_tls(settings, public_tls_, {"public", "--tls", "server.public"});
  declare_tls(settings, metrics_tls_, {"metrics", "--metrics-tls", "observability.metric"});
  declare_auth(settings);
  settings
      .add("security.reload-interval", reload_interval_,
           "How often certificates, users and keys are looked at, and open streams whether their callers still may.")
      .flags("--security-reload-interval")
      .limits(100ms, 1h);
}

void SecuritySettings::declare_internal(Settings& settings, const std::string& also) {
  declare_tls(settings, internal_tls_, {"internal", "--internal-tls", "server.internal"});
  settings.add("peer.tls.enabled", peer_.enabled, "Call the internal ports of others with TLS. On when a file is named.")
      .flags("--peer-tls-enabled")
      .also(also + ".tls.enabled");
  settings.add("peer.tls.trusted-ca-file", peer_.trusted_ca_file, "Who signs the certificates of others (PEM).")
      .flags("--peer-tls-trusted-ca-file")
      .also(also + ".tls.trustedCaFile");
  settings.add("peer.tls.cert-file", peer_.cert_file, "This process's own certificate towards others (PEM).")
      .flags("--peer-tls-cert-file")
      .also(also + ".tls.certFile");
  settings.add("peer.tls.key-file", peer_.key_file, "Its private key (PEM), without a passphrase.")
      .flags("--peer-tls-key-file")
      .also(also + ".tls.keyFile");
  settings.add("peer.tls.server-name", peer_.server_name, "The name that their certificates bear, where it is not the address.")
      .flags("--peer-tls-server-name")
      .also(also + ".tls.serverName");
  settings
      .add("peer.tls.insecure-skip-verify", peer_.skip_verify,
           "Believe any certificate: only for experiments, since anybody on the way can read and answer.")
      .flags("--peer-tls-insecure-skip-verify")
      .also(also + ".tls.insecureSkipVerify");
}

Result<std::optional<net::TlsOptions>> SecuritySettings::peer_options() const {
  const bool on = peer_.enabled || !peer_.cert_file.empty() || !peer_.trusted_ca_file.empty() || peer_.skip_verify;
  if (!on) return std::nullopt;
  if (peer_.cert_file.empty() != peer_.key_file.empty()) {
    return fail(Errc::invalid_argument, "peer.tls: a certificate and its key belong together: set both cert-file and key-file");
  }
  net::TlsOptions options;
  options.cert_file = peer_.cert_file;
  options.key_file = peer_.key_file;
  options.trusted_ca_file = peer_.trusted_ca_file;
  options.server_name = peer_.server_name;
  options.verify_peer = peer_.skip_verify ? net::VerifyPeer::no : net::VerifyPeer::yes;
  options.alpn = {"h2"};
  return options;
}

void SecuritySettings::declare_tls(Settings& settings, Tls& tls, const TlsNames& names) {
  const std::string section = names.port + ".tls", also = names.oxia_section + ".tls";
  const std::string& flags = names.flags;
  tls.enabled_setting =
      &settings
           .add(section + ".enabled", tls.enabled,
                fmt::format("Take only connections with TLS on the {} port. On when a certificate is named; =false turns it off.",
                            names.port))
           .flags(flags + "-enabled")
           .also(also + ".enabled");
  settings
      .add(section + ".cert-file", tls.cert_file,
           "Certificate (PEM), with those between it and its CA; read again when it changes.")
      .flags(flags + "-cert-file")
      .also(also + ".certFile");
  settings.add(section + ".key-file", tls.key_file, "Its private key (PEM), without a passphrase.")
      .flags(flags + "-key-file")
      .also(also + ".keyFile");
  settings
      .add(section + ".trusted-ca-file", tls.trusted_ca_file,
           "Who signs client certificates (PEM). A client that shows one must show a good one.")
      .flags(flags + "-trusted-ca-file")
      .also(also + ".trustedCaFile");
  settings
      .add(section + ".client-auth", tls.client_auth, "Turn away clients that show no certificate.")

      .flags(flags + "-client-auth")
      .also(also + ".clientAuth");
  settings.add(section + ".min-version", tls.min_version, "The oldest TLS to speak.")
      .flags(flags + "-min-version")
      .also(also + ".minVersion")
      .choices({"1.2", "1.3", "771", "772"});
  settings.add(section + ".max-version", tls.max_version, "The newest.")
      .flags(flags + "-max-version")
      .also(also + ".maxVersion")
      .choices({"1.2", "1.3", "771", "772"});
  settings
      .add(section + ".cipher-suites", tls.cipher_suites,
           "Cipher suites, by their IANA or OpenSSL names, with commas between; empty: those with forward secrecy.")
      .flags(flags + "-cipher-suites")
      .also(also + ".cipherSuites");
}

void SecuritySettings::declare_auth(Settings& settings) {
  auth_enabled_setting_ = &settings
                               .add("public.auth.enabled", auth_enabled_,
                                    "Ask every caller for a token or certificate. On when users or a provider are named; =false "
                                    "turns it off.")
                               .flags("--auth-enabled")
                               .also("server.public.auth.enabled");
  settings.add("public.auth.users-file", users_file_, "Who may do what (YAML); read again when it changes.")
      .flags("--auth-users-file");
  settings.add("public.auth.provider", provider_, "Who else vouches for callers: oidc, or empty for nobody.")
      .flags("--auth-provider-name")
      .also("server.public.auth.provider")
      .choices({"", "oidc"});
  settings
      .add("public.auth.provider-params", provider_params_,
           "Issuers of tokens as JSON: {\"issuers\":{URL:{\"allowedAudiences\":…,\"staticKeyFile\":…}}}.")
      .flags("--auth-provider-params")
      .also("server.public.auth.providerParams");
  settings
      .add("metrics.auth.enabled", metrics_auth_,
           "Where callers are asked at all, ask on the metrics port too; /healthz and /readyz are open.")
      .flags("--metrics-auth-enabled");
}

Result<std::optional<net::TlsOptions>> SecuritySettings::tls_options(const Tls& tls, const std::string& section) {
  const bool on = given(tls.enabled_setting) ? tls.enabled : !tls.cert_file.empty();
  if (!on) {
    if (!given(tls.enabled_setting) && (!tls.key_file.empty() || !tls.trusted_ca_file.empty() || tls.client_auth)) {
      return fail(Errc::invalid_argument, section + ": TLS needs a certificate: set cert-file and key-file");
    }
    return std::nullopt;
  }
  net::TlsOptions options;
  if (tls.cert_file.empty() || tls.key_file.empty()) {
    return fail(Errc::invalid_argument, section + ": a port with TLS needs both cert-file and key-file");
  }
  options.cert_file = tls.cert_file;
  options.key_file = tls.key_file;
  options.trusted_ca_file = tls.trusted_ca_file;
  options.cipher_suites = tls.cipher_suites;
  TRY(options.min_version, net::parse_tls_version(tls.min_version));
  TRY(options.max_version, net::parse_tls_version(tls.max_version));
  if (options.min_version > options.max_version) {
    return fail(Errc::invalid_argument, section + ": min-version is above max-version");
  }
  options.client_auth = tls.client_auth ? net::ClientAuth::require : net::ClientAuth::none;
  if (tls.client_auth && tls.trusted_ca_file.empty()) {
    return fail(Errc::invalid_argument, section + ": client-auth needs trusted-ca-file: whose certificates count?");
  }
  return options;
}

Result<AuthOptions> SecuritySettings::auth_options() const {
  AuthOptions options;
  const bool named = !users_file_.empty() || !provider_.empty();
  if (given(auth_enabled_setting_) && !auth_enabled_) return options;
  if (provider_.empty() && !provider_params_.empty()) {
    return fail(Errc::invalid_argument, "public.auth: provider-params need a provider: set it to oidc");
  }
  if (!named && auth_enabled_) {
    return fail(Errc::invalid_argument, "public.auth: to ask callers who they are takes a users-file, or a provider");
  }
  options.users_file = users_file_;
  if (!provider_.empty()) {
    TRY(options.issuers, auth::parse_provider_params(provider_params_));
  }
  return options;
}

Result<SecurityOptions> SecuritySettings::options() const {
  SecurityOptions options;
  TRY(options.public_tls, tls_options(public_tls_, "public.tls"));
  TRY(options.admin_tls, tls_options(metrics_tls_, "metrics.tls"));
  if (internal_tls_.enabled_setting != nullptr) {
    TRY(options.internal_tls, tls_options(internal_tls_, "internal.tls"));
    TRY(options.peer_tls, peer_options());
    if (options.internal_tls) options.internal_tls->alpn = {"h2"};
  }
  if (options.public_tls) options.public_tls->alpn = {"h2"};
  if (options.admin_tls) options.admin_tls->alpn = {"http/1.1"};
  TRY(options.auth, auth_options());
  options.admin_auth = metrics_auth_;
  options.reload_interval = reload_interval_;
  return options;
}

}  // namespace skerry::node
