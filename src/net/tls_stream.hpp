// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/stream.hpp"
#include "net/tls.hpp"
#include "runtime/event.hpp"

struct ssl_st;
struct ssl_session_st;

namespace skerry::net {

// The last session with each server, so that the next connection costs half a handshake. One core's; shared by a network and its
// streams. Forgotten as a whole when the certificate that this side shows changes.
class TlsSessions {
 public:
  ~TlsSessions() { forget(); }
  void keep(const std::string& server, ssl_session_st* session);   // takes it over
  ssl_session_st* find(const std::string& server, const TlsContext* context);

 private:
  void forget();
  static constexpr std::size_t servers_max = 1'024;
  const TlsContext* context_ = nullptr;
  std::map<std::string, ssl_session_st*> sessions_;
};

// What a client said first when it did not speak TLS, to what it can understand of a refusal; "" for silence.
using PlainRefusal = std::function<Bytes(BytesView first)>;

struct TlsStreamOptions {
  std::shared_ptr<const TlsContext> context;
  std::string server;                          // of clients: "host:port", for sessions and messages
  std::string server_name;                     // of clients: what the certificate must say
  std::shared_ptr<TlsSessions> sessions = {};  // of clients
  PlainRefusal refuse_plain = {};              // of servers
};

// TLS on top of another stream. handshake() comes first, in the task of whoever owns the connection, so that a slow peer holds up
// nobody else. Records are made and opened in memory; what is written at once goes to the stream below in one write. One core's.
class TlsStream final : public Stream {
 public:
  TlsStream(Core& core, std::unique_ptr<Stream> inner, TlsStreamOptions options);
  ~TlsStream() override;

  bool needs_handshake() const override { return !ready_; }
  // Fails with deadline_exceeded, closed, or invalid_argument where only another configuration would help; the text says which.
  Task<Result<>> handshake(Deadline deadline) override;
  Task<Result<std::size_t>> read_some(std::span<char> into) override;
  Task<Result<>> write(std::span<const BytesView> pieces) override;
  // When what is below takes only a part, the records are made and one byte is said to be left: the next write must begin with
  // it, and sends it no second time.
  std::size_t try_write(BytesView bytes) override;
  void close() override;
  Address peer() const override { return inner_->peer(); }
  const PeerCertificate* peer_certificate() const override { return certificate_ ? &*certificate_ : nullptr; }
  bool secure() const override { return true; }

  bool resumed() const;   // whether the handshake took up an earlier session

 private:
  struct Bottom;   // OpenSSL's view of what is below: bytes that came, bytes to go
  class Flushing;
  void prepare_client();
  Task<Result<>> shake_hands();
  Result<> look_at_first_bytes();
  Result<> take_peer();
  Task<Result<std::size_t>> fetch();
  std::size_t decrypt(std::span<char> into);
  void encrypt(BytesView bytes);
  Task<Result<>> flush();
  std::string peer_text() const { return options_.server.empty() ? inner_->peer().text() : options_.server; }
  TlsRole role() const { return options_.context->role(); }
  void fail_with(Error error);

  Core& core_;
  std::unique_ptr<Stream> inner_;
  TlsStreamOptions options_;
  ssl_st* ssl_;
  Bytes in_;   // read and not opened: [in_at_, in_end_)
  std::size_t in_at_ = 0, in_end_ = 0;
  Bytes out_, sending_;   // made and not written; being written
  Signal flushed_;
  std::size_t owed_ = 0;   // bytes at the front of the next write that are in out_ already
  std::optional<PeerCertificate> certificate_;
  std::optional<Error> failed_;
  bool ready_ = false, ended_ = false, flushing_ = false, closed_ = false;
};

}   // namespace skerry::net
