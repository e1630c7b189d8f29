// SPDX-License-Identifier: Apache-2.0
#include "serve/access_guard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "auth/secrets.hpp"
#include "serve/access.hpp"

namespace skerry::serve {
namespace {

std::unexpected<rpc::Status> unknown(std::string text) {
  return std::unexpected(rpc::Status{rpc::Code::unauthenticated, std::move(text), {}});
}

// The word before the token may be written in any case.
std::optional<std::string_view> bearer_token(std::string_view header) {
  constexpr std::string_view scheme = "bearer ";
  if (header.size() < scheme.size()) return std::nullopt;
  const bool bearer = std::ranges::equal(header.substr(0, scheme.size()), scheme,
                                         [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
  if (!bearer) return std::nullopt;
  header.remove_prefix(scheme.size());
  while (header.starts_with(' ')) header.remove_prefix(1);
  while (header.ends_with(' ')) header.remove_suffix(1);
  return header;
}

}  // namespace

void AccessGuard::set(std::shared_ptr<const auth::Authenticator> authenticator) {
  authenticator_ = std::move(authenticator);
  remembered_.clear();
  last_token_.clear();
  last_caller_.reset();
}

std::expected<rpc::CallerPtr, rpc::Status> AccessGuard::with_token(std::string_view token) {
  if (last_caller_ != nullptr && auth::equal_secrets(token, last_token_) && valid(*last_caller_)) return last_caller_;
  const Bytes digest = auth::sha256(token);
  auto found = remembered_.find(digest);
  if (found == remembered_.end() || !valid(*found->second)) {
    auto caller = authenticator_->by_token(token, clock_.wall());
    if (!caller) return unknown(caller.error().message());
    if (remembered_.size() >= remembered_max) remembered_.clear();   // they are found out again as they come
    found = remembered_.insert_or_assign(digest, std::make_shared<const auth::Caller>(*std::move(caller))).first;
  }
  last_token_ = token;
  last_caller_ = found->second;
  return last_caller_;
}

std::expected<rpc::CallerPtr, rpc::Status> AccessGuard::identify(std::optional<std::string_view> authorization,
                                                                 const net::PeerCertificate* certificate) {
  if (authorization) {
    const auto token = bearer_token(*authorization);
    if (!token) return unknown("the header 'authorization' is expected to be 'Bearer TOKEN'");
    return with_token(*token);
  }
  if (certificate != nullptr) {
    auto caller = authenticator_->by_certificate(certificate->names);
    if (!caller) return unknown(caller.error().message());
    return std::make_shared<const auth::Caller>(*std::move(caller));
  }
  return unknown("this server asks who calls: send the header 'authorization: Bearer TOKEN' (skerry client: --auth-token-file)");
}

std::expected<rpc::CallerPtr, rpc::Status> AccessGuard::admit(std::string_view method,
                                                              std::optional<std::string_view> authorization,
                                                              const net::PeerCertificate* certificate) {
  if (access_to(method).scope == AccessScope::open) return nullptr;
  auto caller = identify(authorization, certificate);
  if (!caller) return caller;
  if (auto refused = refuse_access(**caller, method)) return std::unexpected(*std::move(refused));
  return caller;
}

std::expected<rpc::CallerPtr, rpc::Status> AccessGuard::admit(const rpc::ServerCall& call) {
  return admit(call.method(), call.header("authorization"), call.certificate());
}

std::optional<rpc::Status> AccessGuard::revoke(const rpc::ServerCall& call) {
  if (call.caller() == nullptr) return std::nullopt;
  auto now = admit(call);
  if (!now) return std::move(now).error();
  if ((*now)->name == call.caller()->name && (*now)->grants == call.caller()->grants) return std::nullopt;
  return rpc::Status{
      rpc::Code::unavailable, fmt::format("what {} may do here has changed: call again", printable((*now)->name)), {}};
}

}  // namespace skerry::serve
