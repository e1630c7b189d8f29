// SPDX-License-Identifier: Apache-2.0
#include "net/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstring>

#include "base/assert.hpp"
#include "net/tls_error.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"

namespace skerry::net {
namespace {

constexpr std::size_t in_bytes_min = 4 << 10, in_bytes_max = 64 << 10;
constexpr std::size_t out_bytes_max = 256 << 10;   // one write below
constexpr std::size_t record_bytes_max = 16 << 10;
constexpr unsigned char record_alert = 0x15, record_handshake = 0x16;

bool is_ip(const std::string& text) {
  boost::system::error_code error;
  asio::ip::make_address(text, error);
  return !error;
}

void add_names(const X509* certificate, std::vector<std::string>& names) {
  auto* found = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  if (found == nullptr) return;
  for (int at = 0; at < sk_GENERAL_NAME_num(found); ++at) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found, at);
    if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_EMAIL) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  GENERAL_NAMES_free(found);
}

PeerCertificate describe(const X509* certificate) {
  PeerCertificate peer;
  char common_name[256];
  const int length =
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common_name, sizeof common_name);
  if (length > 0) peer.names.emplace_back(common_name, static_cast<std::size_t>(length));
  add_names(certificate, peer.names);
  return peer;
}

}  // namespace

void TlsSessions::keep(const std::string& server, ssl_session_st* session) {
  if (sessions_.size() >= servers_max && !sessions_.contains(server)) return SSL_SESSION_free(session);
  ssl_session_st*& kept = sessions_[server];
  if (kept != nullptr) SSL_SESSION_free(kept);
  kept = session;
}

ssl_session_st* TlsSessions::find(const std::string& server, const TlsContext* context) {
  if (std::exchange(context_, context) != context) forget();
  const auto found = sessions_.find(server);
  return found == sessions_.end() ? nullptr : found->second;
}

void TlsSessions::forget() {
  for (auto& [server, session] : sessions_) SSL_SESSION_free(session);
  sessions_.clear();
}

struct TlsStream::Bottom {
  static TlsStream& self(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t length, std::size_t* taken) {
    TlsStream& stream = self(bio);
    *taken = std::min(length, stream.in_end_ - stream.in_at_);
    BIO_clear_retry_flags(bio);
    if (*taken == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, stream.in_.data() + stream.in_at_, *taken);
    stream.in_at_ += *taken;
    return 1;
  }
  static int write(BIO* bio, const char* bytes, std::size_t length, std::size_t* written) {
    self(bio).out_.append(bytes, length);
    *written = length;
    return 1;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "skerry");
      SKERRY_ASSERT(fresh != nullptr);
      BIO_meth_set_read_ex(fresh, read);
      BIO_meth_set_write_ex(fresh, write);
      BIO_meth_set_ctrl(fresh, control);
      return fresh;
    }();
    return made;
  }
  // TLS 1.3 sends its tickets after the handshake.
  static int new_session(SSL* ssl, SSL_SESSION* session) {
    auto* stream = static_cast<TlsStream*>(SSL_get_app_data(ssl));
    if (stream == nullptr || stream->options_.sessions == nullptr) return 0;
    stream->options_.sessions->keep(stream->options_.server, session);
    return 1;
  }
};

TlsStream::TlsStream(Core& core, std::unique_ptr<Stream> inner, TlsStreamOptions options)
    : core_(core), inner_(std::move(inner)), options_(std::move(options)), ssl_(SSL_new(options_.context->native())),
      flushed_(core) {
  SKERRY_ASSERT(ssl_ != nullptr);
  BIO* bottom = BIO_new(Bottom::method());
  SKERRY_ASSERT(bottom != nullptr);
  BIO_set_data(bottom, this);
  BIO_set_init(bottom, 1);
  SSL_set_bio(ssl_, bottom, bottom);
  SSL_set_app_data(ssl_, this);
  if (role() == TlsRole::server) {
    SSL_set_accept_state(ssl_);
  } else {
    prepare_client();
  }
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::prepare_client() {
  SSL_set_connect_state(ssl_);
  const std::string& name = options_.server_name;
  if (is_ip(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str());
  } else {
    SSL_set1_host(ssl_, name.c_str());
    SSL_set_tlsext_host_name(ssl_, name.c_str());
  }
  if (options_.sessions == nullptr) return;
  SSL_CTX_sess_set_new_cb(options_.context->native(), Bottom::new_session);
  if (auto* session = options_.sessions->find(options_.server, options_.context.get())) SSL_set_session(ssl_, session);
}

bool TlsStream::resumed() const { return SSL_session_reused(ssl_) == 1; }

void TlsStream::fail_with(Error error) {
  if (!failed_) failed_ = std::move(error);
}

Task<Result<>> TlsStream::handshake(Deadline deadline) {
  if (ready_) co_return Result<>{};
  Result<> done = co_await with_deadline(core_, shake_hands(), deadline);
  if (!done && done.error() == Errc::deadline_exceeded) {
    done = fail(Errc::deadline_exceeded, "TLS with " + peer_text() + ": the handshake took too long");
  }
  if (!done) fail_with(done.error());
  co_return done;
}

Task<Result<>> TlsStream::shake_hands() {
  for (;;) {
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_);
    const int why = SSL_get_error(ssl_, outcome);
    std::optional<Error> error;
    if (outcome != 1 && why != SSL_ERROR_WANT_READ) {
      error = tls_failure(ssl_, role(), peer_text(), options_.server_name);
    }
    const auto flushed = co_await flush();   // an alert, too, should reach the other end
    if (error) co_return fail(*std::move(error));
    CO_TRYV(flushed);
    if (outcome == 1) break;
    const bool first = in_end_ == 0;
    CO_TRY(const std::size_t count, co_await fetch());
    if (count == 0) co_return fail(Errc::closed, "TLS with " + peer_text() + ": the other end hung up during the handshake");
    if (first) CO_TRYV(look_at_first_bytes());
  }
  ready_ = true;
  co_return take_peer();
}

// Those who speak something else are told so, instead of what OpenSSL makes of it.
Result<> TlsStream::look_at_first_bytes() {
  const auto kind = static_cast<unsigned char>(in_.front());
  if (kind == record_handshake || kind == record_alert) return {};
  if (role() == TlsRole::client) {
    return fail(Errc::invalid_argument,
                peer_text() + " does not speak TLS on this port: connect without TLS, or give that server a certificate");
  }
  if (options_.refuse_plain) inner_->try_write(options_.refuse_plain(BytesView(in_).substr(0, in_end_)));
  return fail(Errc::invalid_argument, inner_->peer().text() + " does not speak TLS");
}

Result<> TlsStream::take_peer() {
  if (role() == TlsRole::client && !options_.context->options().alpn.empty()) {
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_, &chosen, &length);
    if (length == 0) {
      return fail(Errc::invalid_argument, "TLS with " + peer_text() + ": the server does not offer " +
                                              options_.context->options().alpn.front() + " (ALPN): is this its gRPC port?");
    }
  }
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  // Without verification a certificate is a mere claim.
  const bool verified = SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl_) == X509_V_OK;
  if (certificate != nullptr && verified) certificate_ = describe(certificate);
  return {};
}

// More bytes from below. 0 at the end.
Task<Result<std::size_t>> TlsStream::fetch() {
  if (in_.empty()) in_.resize(in_bytes_min);
  if (in_end_ == in_.size() && in_.size() < in_bytes_max) in_.resize(2 * in_.size());
  in_at_ = in_end_ = 0;   // OpenSSL has taken all: it asks for more only then
  CO_TRY(const std::size_t count, co_await inner_->read_some(in_));
  in_end_ = count;
  co_return count;
}

// As many records as are there and fit.
std::size_t TlsStream::decrypt(std::span<char> into) {
  std::size_t total = 0;
  while (total < into.size()) {
    std::size_t count = 0;
    ERR_clear_error();
    const int outcome = SSL_read_ex(ssl_, into.data() + total, into.size() - total, &count);
    if (outcome == 1) {
      total += count;
      continue;
    }
    const int why = SSL_get_error(ssl_, outcome);
    if (why == SSL_ERROR_ZERO_RETURN) {
      ended_ = true;
    } else if (why != SSL_ERROR_WANT_READ) {
      fail_with(tls_failure(ssl_, role(), peer_text(), options_.server_name));
    }
    break;
  }
  return total;
}

Task<Result<std::size_t>> TlsStream::read_some(std::span<char> into) {
  for (;;) {
    if (!failed_ && !ended_) {
      const std::size_t count = decrypt(into);
      if (!out_.empty()) {   // what the protocol itself answers, such as new keys
        if (const auto flushed = co_await flush(); !flushed) fail_with(flushed.error());
      }
      if (count > 0) co_return count;
    }
    if (closed_) co_return fail(Errc::closed, "TLS with " + peer_text() + ": the connection was closed here");
    if (ended_) co_return std::size_t{0};
    if (failed_) co_return fail(*failed_);
    CO_TRY(const std::size_t fetched, co_await fetch());
    // An end without TLS's own is no different to those above: both protocols say themselves when a message is whole.
    if (fetched == 0) ended_ = true;
  }
}

void TlsStream::encrypt(BytesView bytes) {
  const std::size_t skipped = std::min(std::exchange(owed_, 0), bytes.size());
  bytes.remove_prefix(skipped);
  if (bytes.empty()) return;
  std::size_t taken = 0;
  ERR_clear_error();
  if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &taken) == 1 && taken == bytes.size()) return;
  fail_with(tls_failure(ssl_, role(), peer_text(), options_.server_name));
}

// Holds the right to write below, for as long as it lives.
class TlsStream::Flushing {
 public:
  explicit Flushing(TlsStream& stream) : stream_(stream) {
    stream_.flushing_ = true;
    stream_.sending_.swap(stream_.out_);
  }
  Flushing(const Flushing&) = delete;
  void ended() { ended_ = true; }
  ~Flushing() {
    // Cancelled inside a record: nothing that follows could be understood.
    if (!ended_) stream_.fail_with({Errc::closed, "TLS with " + stream_.peer_text() + ": a write was given up half way"});
    stream_.flushing_ = false;
    if (stream_.sending_.capacity() > 2 * out_bytes_max) stream_.sending_ = Bytes();
    stream_.sending_.clear();
    stream_.flushed_.notify_all();
  }

 private:
  TlsStream& stream_;
  bool ended_ = false;
};

// Returns when everything that was made before has been written.
Task<Result<>> TlsStream::flush() {
  while (flushing_) co_await flushed_.wait();
  if (out_.empty()) {
    if (failed_) co_return fail(*failed_);
    co_return Result<>{};
  }
  Flushing flushing(*this);
  const BytesView all = sending_;
  auto written = co_await inner_->write({&all, 1});
  flushing.ended();
  if (!written) fail_with(written.error());
  co_return written;
}

Task<Result<>> TlsStream::write(std::span<const BytesView> pieces) {
  if (!ready_) co_return fail(Errc::closed, "TLS with " + peer_text() + ": the handshake has not ended");
  Bytes joined;   // small pieces share a record
  for (BytesView piece : pieces) {
    if (pieces.size() > 1 && joined.size() + piece.size() <= record_bytes_max) {
      joined.append(piece);
      continue;
    }
    if (!joined.empty()) encrypt(std::exchange(joined, {}));
    while (!piece.empty()) {
      if (failed_) co_return fail(*failed_);
      encrypt(piece.substr(0, out_bytes_max));
      piece.remove_prefix(std::min(piece.size(), out_bytes_max));
      if (out_.size() >= out_bytes_max) CO_TRYV(co_await flush());
    }
  }
  if (!joined.empty()) encrypt(joined);
  if (failed_) co_return fail(*failed_);
  co_return co_await flush();
}

std::size_t TlsStream::try_write(BytesView bytes) {
  if (!ready_ || failed_ || closed_ || flushing_ || !out_.empty() || bytes.empty()) return 0;
  encrypt(bytes);
  if (failed_) return 0;
  const std::size_t written = inner_->try_write(out_);
  out_.erase(0, written);
  if (out_.empty()) return bytes.size();
  owed_ = 1;
  return bytes.size() - 1;
}

void TlsStream::close() {
  if (closed_) return;
  closed_ = true;
  if (ready_ && !failed_ && !flushing_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);   // the farewell; nobody waits for its answer
    inner_->try_write(out_);
    ERR_clear_error();
  }
  inner_->close();
}

}  // namespace skerry::net
