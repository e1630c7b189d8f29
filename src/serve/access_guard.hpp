// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/authenticator.hpp"
#include "net/stream.hpp"
#include "rpc/call_guard.hpp"
#include "runtime/clock.hpp"

namespace skerry::serve {

// Asks every caller who they are, by token or certificate, and lets in whom the table in access.hpp has a place for. One core's;
// outlives the servers that ask it. What it found out about a token it remembers until the token or the authenticator runs out,
// so that a signature is verified once and not with every call.
class AccessGuard final : public rpc::CallGuard {
 public:
  AccessGuard(const Clock& clock, std::shared_ptr<const auth::Authenticator> authenticator)
      : clock_(clock), authenticator_(std::move(authenticator)) {}

  // From now on; what is known of tokens is asked anew.
  void set(std::shared_ptr<const auth::Authenticator> authenticator);

  std::expected<rpc::CallerPtr, rpc::Status> admit(const rpc::ServerCall& call) override;
  std::optional<rpc::Status> revoke(const rpc::ServerCall& call) override;

  // The same for other ways to the same methods: `authorization` is the header's value, `certificate` what TLS has verified.
  std::expected<rpc::CallerPtr, rpc::Status> admit(std::string_view method, std::optional<std::string_view> authorization,
                                                   const net::PeerCertificate* certificate);
  // Who it is, whatever they want to do.
  std::expected<rpc::CallerPtr, rpc::Status> identify(std::optional<std::string_view> authorization,
                                                      const net::PeerCertificate* certificate);

 private:
  std::expected<rpc::CallerPtr, rpc::Status> with_token(std::string_view token);
  bool valid(const auth::Caller& caller) const { return !caller.expires || clock_.wall() < *caller.expires; }

  static constexpr std::size_t remembered_max = 4'096;
  const Clock& clock_;
  std::shared_ptr<const auth::Authenticator> authenticator_;
  std::map<Bytes, rpc::CallerPtr, std::less<>> remembered_;   // by the token's digest
  std::string last_token_;   // calls come in runs of the same
  rpc::CallerPtr last_caller_;
};

}   // namespace skerry::serve
