// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cstring>

#include "base/bytes.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/signals.hpp"

namespace skerry::net {
namespace {

Result<IpAddresses> look_up(const std::string& host) {   // blocks
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return fail(Errc::unavailable, "host name " + printable(host) + " cannot be resolved: " + ::gai_strerror(error));
  }
  IpAddresses addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      sockaddr_in v4{};
      std::memcpy(&v4, each->ai_addr, sizeof v4);
      addresses.emplace_back(asio::ip::address_v4(ntohl(v4.sin_addr.s_addr)));
    } else if (each->ai_family == AF_INET6) {
      sockaddr_in6 v6{};
      std::memcpy(&v6, each->ai_addr, sizeof v6);
      asio::ip::address_v6::bytes_type raw;
      std::memcpy(raw.data(), &v6.sin6_addr, raw.size());
      addresses.emplace_back(asio::ip::address_v6(raw, v6.sin6_scope_id));
    }
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return fail(Errc::unavailable, "host name " + printable(host) + " has no address");
  return addresses;
}

}  // namespace

// Shared by the coroutine that waits and the thread that answers; `answer` and `done` are touched on the core only.
struct Resolver::Lookup : Timer {
  Lookup(Core& core, std::string name) : host(std::move(name)), done(core) {}
  void on_due() override { done.set(); }

  const std::string host;
  std::optional<Result<IpAddresses>> answer;
  Event done;
};

IpAddresses literal_addresses(const std::string& host) {
  if (host == "localhost") return {asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()};
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  return error ? IpAddresses{} : IpAddresses{address};
}

Resolver::~Resolver() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

Task<Result<IpAddresses>> Resolver::resolve(std::string host, Deadline deadline) {
  auto lookup = std::make_shared<Lookup>(core_, host);
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= waiting_max) {
      co_return fail(Errc::resource_exhausted, "too many host names are being resolved; try again later");
    }
    waiting_.push_back(lookup);
  }
  if (!thread_.joinable()) {
    const SignalsBlocked blocked;   // a program with signal handlers of its own wants them elsewhere
    thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
  }
  changed_.notify_one();
  if (deadline != no_deadline) core_.timers().arm(*lookup, deadline);
  while (!lookup->done.is_set()) co_await lookup->done.wait();
  lookup->cancel();
  if (!lookup->answer) {
    co_return fail(Errc::deadline_exceeded, "resolving host name " + printable(host) + " took too long");
  }
  co_return std::move(*lookup->answer);
}

void Resolver::run(const std::stop_token& stopping) {
  for (;;) {
    std::shared_ptr<Lookup> lookup;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stopping, [this] { return !waiting_.empty(); })) return;
      lookup = std::move(waiting_.front());
      waiting_.pop_front();
    }
    auto answer = look_up(lookup->host);
    // The core lets go of the lookup itself, so the last reference is never dropped on this thread.
    core_.post_from_outside([lookup = std::move(lookup), answer = std::move(answer)]() mutable {
      lookup->answer = std::move(answer);
      lookup->done.set();
    });
  }
}

}  // namespace skerry::net
