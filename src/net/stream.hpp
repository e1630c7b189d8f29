// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace skerry::net {

struct Address {
  std::string host;          // a name or a literal address, IPv6 without brackets
  std::uint16_t port = 0;    // 0 when listening: any free port

  // "host:port", "[v6]:port", ":port" (all interfaces). Fails with invalid_argument and says what is expected.
  static Result<Address> parse(std::string_view text);
  std::string text() const;
  friend bool operator==(const Address&, const Address&) = default;
};

// Who the other end has proved to be.
struct PeerCertificate {
  std::vector<std::string> names;   // the subject's common name first, then its DNS, URI and e-mail names
};

// A connected byte stream of one core. Virtual per batch, never per byte or frame. One reader and one writer at a time.
class Stream {
 public:
  virtual ~Stream() = default;   // closes
  // Reads what is there, at least one byte. 0 bytes: the other end has finished. Fails with closed or io_failed.
  virtual Task<Result<std::size_t>> read_some(std::span<char> into) = 0;
  // Writes all pieces as one stretch. They must stay alive until it returns.
  virtual Task<Result<>> write(std::span<const BytesView> pieces) = 0;
  // Takes what it can at once, from the front of `bytes`, and says how much; 0 when it would have to wait or is broken (then
  // write() tells why). Not while a write() is under way. For the end of a loop turn, where a coroutine would cost more than the
  // write.
  virtual std::size_t try_write(BytesView bytes) {
    static_cast<void>(bytes);
    return 0;
  }
  // Ends both directions; pending reads and writes fail with closed. May be called again.
  virtual void close() = 0;
  virtual Address peer() const = 0;

  // What must come before the first byte, such as a handshake of TLS. Whoever accepted a stream that needs one calls handshake()
  // once, in the connection's own task. Streams that come from connect() need none.
  virtual bool needs_handshake() const { return false; }
  virtual Task<Result<>> handshake(Deadline deadline) {
    static_cast<void>(deadline);
    co_return Result<>{};
  }
  // Of the other end, once it was verified; null where there is none.
  virtual const PeerCertificate* peer_certificate() const { return nullptr; }
  virtual bool secure() const { return false; }   // whether nobody on the way can read it
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;   // fails with closed after close()
  virtual Address address() const = 0;   // with the real port
  virtual void close() = 0;
};

// The seam between a core and the network: the machine's TCP, or the simulator's. Its streams belong to the core it was
// made for.
class Network {
 public:
  virtual ~Network() = default;
  // Fails with already_exists when the port is taken, unavailable when the address is not this machine's.
  virtual Result<std::unique_ptr<Listener>> listen(const Address& address) = 0;
  virtual Task<Result<std::unique_ptr<Stream>>> connect(Address address, Deadline deadline) = 0;
};

}   // namespace skerry::net
