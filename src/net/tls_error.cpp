// SPDX-License-Identifier: Apache-2.0
#include "net/tls_error.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <optional>

namespace skerry::net {
namespace {

std::string reason_text(unsigned long error) {
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "error " + std::to_string(error);
}

// Of a certificate that was looked at and found wanting.
std::string verdict_text(long verdict, TlsRole role, const std::string& wanted_name) {
  const std::string whose = role == TlsRole::client ? "the server's certificate" : "the client's certificate";
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return whose + " is not for " + wanted_name +
             ": connect by a name that it bears, or say which one to expect (--tls-server-name)";
    case X509_V_ERR_CERT_HAS_EXPIRED: return whose + " has expired: it must be renewed";
    case X509_V_ERR_CERT_NOT_YET_VALID: return whose + " is not valid yet: compare the clocks of both machines";
    case X509_V_ERR_INVALID_PURPOSE: return whose + " was not made for this use (extended key usage)";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return whose + " is signed by nobody who is trusted here: name its CA's file (--tls-trusted-ca-file)";
    default: return whose + " is refused: " + X509_verify_cert_error_string(verdict);
  }
}

// What the other end said before it hung up, or what its bytes show; nothing when it is no matter of configuration.
std::optional<std::string> known_reason(int reason, TlsRole role) {
  const bool client = role == TlsRole::client;
  switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "it wants a client certificate: give one (--tls-cert-file, --tls-key-file)";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the client showed no certificate, and client certificates are required";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return client ? "it refused the handshake: it may want a client certificate, or share no cipher suite with this end"
                    : "the client refused the handshake";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return client ? "it does not trust who signed the client certificate" : "the client does not trust this server's CA";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return client ? "it refused the client certificate" : "the client refused this server's certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return client ? "the client certificate has expired: it must be renewed"
                    : "the client finds this server's certificate expired";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED: return "it finds the certificate revoked";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL: return "both ends have no TLS version in common";
    case SSL_R_NO_SHARED_CIPHER: return "both ends have no cipher suite in common";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_APPLICATION_PROTOCOL: return "both ends have no protocol in common (ALPN; gRPC is h2)";
    default: return std::nullopt;
  }
}

}  // namespace

std::string tls_error_text() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  return error == 0 ? "no reason is known" : reason_text(error);
}

Error tls_failure(ssl_st* connection, TlsRole role, const std::string& peer, const std::string& wanted_name) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const std::string start = "TLS with " + peer + ": ";
  const int reason = ERR_GET_REASON(error);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return {Errc::invalid_argument, start + verdict_text(SSL_get_verify_result(connection), role, wanted_name)};
  }
  if (auto known = known_reason(reason, role)) return {Errc::invalid_argument, start + *known};
  return {Errc::closed, start + (error == 0 ? "the other end broke the connection" : reason_text(error))};
}

}  // namespace skerry::net
