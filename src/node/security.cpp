// SPDX-License-Identifier: Apache-2.0
#include "node/security.hpp"

#include <fmt/format.h>

#include "runtime/join.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t users_file_bytes_max = 32 << 20, key_file_bytes_max = 1 << 20;
constexpr auto told_every = 1s;

net::HttpResponse refusal(int status, std::string text) {
  net::HttpResponse response{.status = status, .body = std::move(text) + "\n"};
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

// Where TLS is used, and what people call that.
struct SecurityFiles::TlsUse {
  const char* name;
  net::TlsRole role;
  std::optional<net::TlsOptions> SecurityOptions::* options;
  std::shared_ptr<const net::TlsContext> SecurityState::* context;
};

const std::vector<SecurityFiles::TlsUse>& SecurityFiles::tls_uses() {
  static const std::vector<TlsUse> uses{
      {"the public port", net::TlsRole::server, &SecurityOptions::public_tls, &SecurityState::public_tls},
      {"the metrics port", net::TlsRole::server, &SecurityOptions::admin_tls, &SecurityState::admin_tls},
      {"the internal port", net::TlsRole::server, &SecurityOptions::internal_tls, &SecurityState::internal_tls},
      {"connections to other nodes", net::TlsRole::client, &SecurityOptions::peer_tls, &SecurityState::peer_tls}};
  return uses;
}

Result<std::shared_ptr<SecurityFiles>> SecurityFiles::open(SecurityOptions options) {
  std::shared_ptr<SecurityFiles> files(new SecurityFiles(std::move(options)));
  for (const TlsUse& use : tls_uses()) {
    auto& tls = files->tls_.emplace_back();
    const auto& wanted = files->options_.*use.options;
    if (!wanted) continue;
    auto opened = net::TlsFiles::open(*wanted, use.role);
    if (!opened) return fail(opened.error().code, fmt::format("TLS of {}: {}", use.name, opened.error().message()));
    tls = *std::move(opened);
    files->state_.*use.context = tls->current();
  }
  files->auth_seen_ = files->auth_stamps();   // before reading: a change meanwhile is found later
  if (files->options_.auth.on()) {
    TRY(files->state_.authenticator, files->load_authenticator());
  }
  return files;
}

std::vector<net::FileStamp> SecurityFiles::auth_stamps() const {
  std::vector<net::FileStamp> stamps;
  if (!options_.auth.users_file.empty()) stamps.push_back(net::FileStamp::of(options_.auth.users_file));
  for (const auto& issuer : options_.auth.issuers) stamps.push_back(net::FileStamp::of(issuer.key_file));
  return stamps;
}

Result<std::shared_ptr<const auth::Authenticator>> SecurityFiles::load_authenticator() const {
  std::optional<auth::Users> users;
  if (const std::string& path = options_.auth.users_file; !path.empty()) {
    TRY(const std::string text, net::read_small_file(path, users_file_bytes_max));
    TRY(users, auth::Users::parse(text, path));
  }
  std::vector<auth::Issuer> issuers;
  for (const auth::IssuerOptions& issuer : options_.auth.issuers) {
    TRY(const std::string text, net::read_small_file(issuer.key_file, key_file_bytes_max));
    TRY(auth::Keys keys, auth::Keys::parse(text, issuer.key_file));
    issuers.push_back({issuer, std::move(keys)});
  }
  return std::make_shared<const auth::Authenticator>(std::move(users), std::move(issuers));
}

std::vector<SecurityFiles::Change> SecurityFiles::refresh() {
  std::vector<Change> changes;
  const auto note = [&](std::string what, const Result<>& outcome) {
    changes.push_back({std::move(what), outcome ? std::nullopt : std::optional(outcome.error())});
  };
  for (std::size_t at = 0; at < tls_.size(); ++at) {
    const auto outcome = tls_[at] ? tls_[at]->refresh() : std::nullopt;
    if (!outcome) continue;
    const TlsUse& use = tls_uses()[at];
    state_.*use.context = tls_[at]->current();
    note(fmt::format("certificate of {}", use.name), *outcome);
  }
  if (auto stamps = auth_stamps(); stamps != auth_seen_) {
    auth_seen_ = std::move(stamps);
    auto loaded = load_authenticator();
    note("users and keys", loaded ? Result<>{} : fail(loaded.error()));
    if (loaded) {
      state_.authenticator = *std::move(loaded);
    } else if (loaded.error() == Errc::io_failed) {
      auth_seen_.clear();   // what could not be read is tried again, changed or not
    }
  }
  return changes;
}

Security::Security(AppletContext& context, std::shared_ptr<SecurityFiles> files)
    : context_(context), log_(context.log("security")), files_(std::move(files)), files_options_(files_->options()),
      state_(files_->state()), tasks_(context.core) {
  if (state_.authenticator) guard_.emplace(context.core.clock(), state_.authenticator);
  Metrics& metrics = context.metrics();
  handshakes_failed_ = metrics.counter("skerry_tls_handshakes_failed_total", "Connections that TLS turned away", {});
  reloads_ = metrics.counter("skerry_security_reloads_total", "Certificates, users and keys read again", {{"outcome", "ok"}});
  reloads_failed_ =
      metrics.counter("skerry_security_reloads_total", "Certificates, users and keys read again", {{"outcome", "refused"}});
}

Task<Result<>> Security::start() {
  if (context_.core.id() == CoreId{0}) show_expiry();
  const bool any_tls = state_.public_tls || state_.admin_tls || state_.internal_tls || state_.peer_tls;
  if (any_tls || state_.authenticator) tasks_.spawn(watch());
  co_return Result<>{};
}

Task<> Security::stop() { co_await tasks_.cancel_and_join(); }

Task<> Security::watch() {
  for (std::uint64_t asked = 0;;) {
    co_await run_until(context_.core, context_.wait_hang_up(asked), context_.core.now() + files_options_.reload_interval);
    asked = context_.hang_ups();
    if (context_.core.id() == CoreId{0}) {
      const auto changes = co_await context_.blocking().run([files = files_] { return files->refresh(); });
      for (const auto& change : changes) {
        (change.refused ? reloads_failed_ : reloads_).add();
        if (change.refused) {
          log_.error("new files are unusable, and those before them stay in use",
                     {{"what", change.what}, {"reason", *change.refused}});
        } else {
          log_.info("read again", {{"what", change.what}});
        }
      }
      if (!changes.empty()) {
        co_await context_.sharded<Security>().invoke_on_all(&Security::adopt, files_->state());
        show_expiry();
      }
    }
    if (recheck_) recheck_();
  }
}

void Security::adopt(SecurityState state) {
  const bool callers_change = state.authenticator != state_.authenticator;
  state_ = std::move(state);
  if (guard_ && callers_change) guard_->set(state_.authenticator);
}

void Security::show_expiry() const {
  const auto show = [this](const char* port, const std::shared_ptr<const net::TlsContext>& context) {
    if (!context || !context->expires()) return;
    const std::int64_t left = *context->expires() - context_.core.clock().wall().time_since_epoch().count() / 1000;
    context_.metrics()
        .gauge("skerry_tls_certificate_expires_seconds", "When the certificate ends, in seconds since the epoch",
               {{"port", port}})
        .set(static_cast<double>(*context->expires()));
    if (left <= 0) {
      log_.error("the certificate has expired: clients will refuse it", {{"port", port}, {"subject", context->subject()}});
    } else {
      log_.info("TLS is on", {{"port", port}, {"subject", context->subject()}, {"days_left", left / 86'400}});
    }
  };
  show("public", state_.public_tls);
  show("metrics", state_.admin_tls);
  show("internal", state_.internal_tls);
  show("peers", state_.peer_tls);
}

net::TlsContexts Security::public_tls() {
  return [this] { return state_.public_tls; };
}
net::TlsContexts Security::admin_tls() {
  return [this] { return state_.admin_tls; };
}
net::TlsContexts Security::internal_tls() {
  return [this] { return state_.internal_tls; };
}
net::TlsContexts Security::peer_tls() {
  return [this] { return state_.peer_tls; };
}

void Security::note_handshake(const char* port, const net::Address& peer, const Error& why) {
  handshakes_failed_.add();
  if (told_at_ && context_.core.now() - *told_at_ < told_every) {
    ++untold_;
    return;
  }
  told_at_ = context_.core.now();
  log_.warn("a connection was turned away",
            {{"port", port}, {"peer", peer.text()}, {"reason", why}, {"untold_before", std::exchange(untold_, 0)}});
}

std::optional<net::HttpResponse> Security::refuse(const net::HttpRequest& request) {
  if (!guard_ || !files_options_.admin_auth) return std::nullopt;
  if (request.path == "/healthz" || request.path == "/readyz") return std::nullopt;
  if (request.method == "POST" && request.path.starts_with("/api/")) return std::nullopt;   // a call: its guard has the word
  const std::string_view header = request.header("authorization");
  const auto caller = guard_->identify(header.empty() ? std::nullopt : std::optional(header), request.certificate);
  if (!caller) return refusal(401, caller.error().message);
  const bool changes = request.method != "GET" && request.method != "HEAD";
  const auth::Role held = changes ? (*caller)->grants.in_every() : (*caller)->grants.highest();
  const auth::Role needed = changes ? auth::Role::admin : auth::Role::read;
  if (held >= needed) return std::nullopt;
  return refusal(403, fmt::format("{} has the role {}; {} {} asks for {}{}", (*caller)->name, auth::name(held), request.method,
                                  request.path, auth::name(needed), changes ? " in \"*\"" : ""));
}

}  // namespace skerry::node
