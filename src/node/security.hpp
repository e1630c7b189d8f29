// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/authenticator.hpp"
#include "net/file_stamp.hpp"
#include "net/http_server.hpp"
#include "net/tls.hpp"
#include "runtime/applets.hpp"
#include "runtime/task_scope.hpp"
#include "serve/access_guard.hpp"

namespace skerry::node {

struct AuthOptions {
  std::string users_file = {};
  std::vector<auth::IssuerOptions> issuers = {};
  bool on() const { return !users_file.empty() || !issuers.empty(); }
};

struct SecurityOptions {
  std::optional<net::TlsOptions> public_tls = {};   // nothing: that port is plain
  std::optional<net::TlsOptions> admin_tls = {};
  std::optional<net::TlsOptions> internal_tls = {};   // where coordinators and nodes are called
  std::optional<net::TlsOptions> peer_tls = {};       // towards those ports of others; nothing: they are plain
  AuthOptions auth = {};                            // off: everybody may do everything
  bool admin_auth = true;                           // whether the admin port asks too, where authentication is on
  Duration reload_interval = 5s;                    // how often the files are looked at
};

// What keeps a process safe, as of one reading of its files. Immutable, shared by the cores.
struct SecurityState {
  std::shared_ptr<const net::TlsContext> public_tls = {}, admin_tls = {}, internal_tls = {}, peer_tls = {};
  std::shared_ptr<const auth::Authenticator> authenticator = {};   // null: authentication is off
};

// The files behind that state: certificates, keys, CAs, users, issuers' keys. One thread at a time; touches the file system.
class SecurityFiles {
 public:
  // Fails with what is wrong in which file.
  static Result<std::shared_ptr<SecurityFiles>> open(SecurityOptions options);
  const SecurityOptions& options() const { return options_; }
  const SecurityState& state() const { return state_; }

  struct Change {
    std::string what;                // "certificate of the public port"
    std::optional<Error> refused;    // why the new files are not used; what was there before stays
  };
  std::vector<Change> refresh();     // looks at all files

 private:
  struct TlsUse;
  static const std::vector<TlsUse>& tls_uses();
  explicit SecurityFiles(SecurityOptions options) : options_(std::move(options)) {}
  std::vector<net::FileStamp> auth_stamps() const;
  Result<std::shared_ptr<const auth::Authenticator>> load_authenticator() const;

  const SecurityOptions options_;
  std::vector<std::unique_ptr<net::TlsFiles>> tls_;   // in the order of the uses; null where there is no TLS
  std::vector<net::FileStamp> auth_seen_;
  SecurityState state_;
};

// Holds the state for its core and keeps it fresh: the first core looks at the files from time to time, on a helper thread, and
// hands what is new to the others. The first applet, so that the servers find it ready; a file that becomes unusable is logged
// and changes nothing.
class Security {
 public:
  Security(AppletContext& context, std::shared_ptr<SecurityFiles> files);
  Task<Result<>> start();
  Task<> stop();

  const SecurityOptions& options() const { return files_options_; }
  net::TlsContexts public_tls();   // for a TlsNetwork: each connection gets the newest
  net::TlsContexts admin_tls();
  net::TlsContexts internal_tls();
  net::TlsContexts peer_tls();
  serve::AccessGuard* guard() { return guard_ ? &*guard_ : nullptr; }   // null: authentication is off
  // Called on this core after each look at the files, so that callers who run out or change are found. Null takes it away.
  void set_recheck(std::function<void()> recheck) { recheck_ = std::move(recheck); }
  // A handshake that failed, for the log (a line a second at most) and a counter.
  void note_handshake(const char* port, const net::Address& peer, const Error& why);
  // For HttpServerOptions::refuse: whether this request may go on to its handler. Calls, which are POST below /api/, are
  // the business of their handler, who asks guard() with the method's own name.
  std::optional<net::HttpResponse> refuse(const net::HttpRequest& request);

 private:
  Task<> watch();
  void adopt(SecurityState state);
  void show_expiry() const;

  AppletContext& context_;
  Logger log_;
  std::shared_ptr<SecurityFiles> files_;   // of the first core
  const SecurityOptions files_options_;
  SecurityState state_;
  std::optional<serve::AccessGuard> guard_;
  std::function<void()> recheck_;
  Counter handshakes_failed_, reloads_, reloads_failed_;
  std::optional<TimePoint> told_at_;
  std::uint64_t untold_ = 0;
  TaskScope tasks_;
};

}   // namespace skerry::node
