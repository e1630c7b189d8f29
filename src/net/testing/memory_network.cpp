// SPDX-License-Identifier: Apache-2.0
#include "net/testing/memory_network.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "runtime/event.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::net::testing {
namespace {

constexpr std::string_view here_closed = "the connection was closed here";
constexpr std::string_view there_closed = "the other end closed the connection";

// Bytes on their way in one direction.
struct Pipe {
  Pipe(Core& reader, Core& writer) : reads(reader), readers(reader), writers(writer), arrival(readers) {}

  struct Chunk {
    TimePoint due;
    Bytes bytes;
    std::size_t taken = 0;
  };
  struct Arrival final : Timer {   // of the first chunk
    explicit Arrival(WaitList& to_wake) : readers(to_wake) {}
    void on_due() override { readers.wake_all(); }
    WaitList& readers;
  };
  void tell_reader_in_time() {
    if (!readers.empty() && !arrival.armed()) reads.timers().arm(arrival, chunks.front().due);
  }

  std::deque<Chunk> chunks;
  std::size_t size = 0;
  Core& reads;
  WaitList readers, writers;
  Arrival arrival;
};

}  // namespace

// A connection: two ends, a pipe to each.
struct Link {
  Link(Core& first, Core& second, std::string first_host, std::string second_host)
      : hosts{std::move(first_host), std::move(second_host)}, to{Pipe(first, second), Pipe(second, first)} {}

  void wake_all() {
    for (Pipe& pipe : to) pipe.readers.wake_all(), pipe.writers.wake_all();
  }

  std::string hosts[2];
  Pipe to[2];
  bool closed[2] = {false, false};   // by that end
  bool broken = false;
  bool cut = false;
};

namespace {

class MemoryStream final : public Stream {
 public:
  MemoryStream(Core& core, const MemoryFabric& fabric, std::shared_ptr<Link> link, int end, Address peer)
      : core_(core), fabric_(fabric), link_(std::move(link)), end_(end), peer_(std::move(peer)) {}
  ~MemoryStream() override { close(); }

  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    Pipe& pipe = link_->to[end_];
    for (;;) {
      if (link_->closed[end_]) co_return ended(here_closed);
      if (link_->broken) co_return ended("the connection was reset");
      if (!link_->cut && !pipe.chunks.empty() && pipe.chunks.front().due <= core_.now()) co_return take(pipe, into);
      if (!link_->cut && pipe.chunks.empty() && link_->closed[1 - end_]) co_return 0;
      if (!link_->cut && !pipe.chunks.empty()) core_.timers().arm(pipe.arrival, pipe.chunks.front().due);
      co_await pipe.readers.wait();
    }
  }

  Task<Result<>> write(std::span<const BytesView> pieces) override {
    for (BytesView piece : pieces) {
      while (!piece.empty()) {
        if (const auto gone = writable(); !gone) co_return gone;
        const std::size_t written = try_write(piece);
        piece.remove_prefix(written);
        if (written == 0) co_await link_->to[1 - end_].writers.wait();
      }
    }
    co_return writable();
  }

  std::size_t try_write(BytesView bytes) override {
    Pipe& pipe = link_->to[1 - end_];
    if (!writable() || pipe.size >= fabric_.pipe_bytes_max) return 0;
    const std::size_t count = std::min(bytes.size(), fabric_.pipe_bytes_max - pipe.size);
    if (count == 0) return 0;
    pipe.chunks.push_back({core_.now() + fabric_.delay(), Bytes(bytes.substr(0, count))});
    pipe.size += count;
    if (fabric_.delay() == Duration{}) pipe.readers.wake_all();
    else if (!link_->cut) pipe.tell_reader_in_time();
    return count;
  }

  void close() override {
    if (std::exchange(link_->closed[end_], true)) return;
    link_->to[end_].arrival.cancel();
    link_->wake_all();
  }
  Address peer() const override { return peer_; }

 private:
  std::size_t take(Pipe& pipe, std::span<char> into) {
    std::size_t count = 0;
    while (count < into.size() && !pipe.chunks.empty() && pipe.chunks.front().due <= core_.now()) {
      Pipe::Chunk& chunk = pipe.chunks.front();
      const std::size_t part = std::min(into.size() - count, chunk.bytes.size() - chunk.taken);
      std::memcpy(into.data() + count, chunk.bytes.data() + chunk.taken, part);
      count += part;
      chunk.taken += part;
      if (chunk.taken == chunk.bytes.size()) pipe.chunks.pop_front();
    }
    pipe.size -= count;
    pipe.writers.wake_all();
    return count;
  }
  Result<> writable() const {
    if (link_->closed[end_]) return ended(here_closed);
    if (link_->broken) return ended("the connection was reset");
    if (link_->closed[1 - end_] && !link_->cut) return ended(there_closed);
    return {};
  }
  std::unexpected<Error> ended(std::string_view why) const { return fail(Errc::closed, peer_.text() + ": " + std::string(why)); }

  Core& core_;
  const MemoryFabric& fabric_;
  std::shared_ptr<Link> link_;
  const int end_;
  const Address peer_;
};

}  // namespace

class MemoryListener final : public Listener {
 public:
  MemoryListener(Core& listener_core, MemoryFabric& fabric, Address address)
      : core(listener_core), fabric_(fabric), address_(std::move(address)), waiters_(listener_core) {
    fabric_.listeners_.emplace(address_.text(), this);
  }
  ~MemoryListener() override { close(); }

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    for (;;) {
      if (closed_) co_return fail(Errc::closed, "listener " + address_.text() + " is closed");
      if (!arrived_.empty()) {
        auto stream = std::move(arrived_.front());
        arrived_.pop_front();
        co_return stream;
      }
      co_await waiters_.wait();
    }
  }
  Address address() const override { return address_; }
  void close() override {
    if (std::exchange(closed_, true)) return;
    fabric_.listeners_.erase(address_.text());
    arrived_.clear();
    waiters_.wake_all();
  }
  void arrive(std::unique_ptr<Stream> stream) {
    arrived_.push_back(std::move(stream));
    waiters_.wake_all();
  }

  Core& core;

 private:
  MemoryFabric& fabric_;
  const Address address_;
  std::deque<std::unique_ptr<Stream>> arrived_;
  WaitList waiters_;
  bool closed_ = false;
};

std::vector<std::shared_ptr<Link>> MemoryFabric::links_between(const std::string& a, const std::string& b) {
  std::erase_if(links_, [](const auto& link) { return link.expired(); });
  std::vector<std::shared_ptr<Link>> found;
  for (const auto& weak : links_) {
    auto link = weak.lock();
    if (pair(link->hosts[0], link->hosts[1]) == pair(a, b)) found.push_back(std::move(link));
  }
  return found;
}

void MemoryFabric::cut(const std::string& a, const std::string& b) {
  cuts_.insert(pair(a, b));
  for (const auto& link : links_between(a, b)) link->cut = true;
}

void MemoryFabric::heal(const std::string& a, const std::string& b) {
  cuts_.erase(pair(a, b));
  for (const auto& link : links_between(a, b)) {
    link->cut = false;
    link->wake_all();
  }
}

void MemoryFabric::break_connections(const std::string& a, const std::string& b) {
  for (const auto& link : links_between(a, b)) {
    link->broken = true;
    link->wake_all();
  }
}

Result<std::unique_ptr<Listener>> MemoryNetwork::listen(const Address& wanted) {
  Address address = wanted;
  if (address.host.empty()) address.host = host_;
  if (address.host != host_) return fail(Errc::unavailable, "address " + address.text() + " is not of host " + host_);
  if (address.port == 0) address.port = fabric_.next_port_++;
  if (fabric_.listeners_.contains(address.text())) {
    return fail(Errc::already_exists, "address " + address.text() + " is already in use");
  }
  return std::make_unique<MemoryListener>(core_, fabric_, address);
}

Task<Result<std::unique_ptr<Stream>>> MemoryNetwork::connect(Address address, Deadline deadline) {
  const bool is_cut = fabric_.cuts_.contains(MemoryFabric::pair(host_, address.host));
  if (is_cut) {
    co_await core_.sleep_until(std::min(deadline, core_.now() + 1h));
    co_return fail(Errc::deadline_exceeded, "connecting to " + address.text() + " took too long");
  }
  co_await core_.sleep_for(2 * fabric_.delay_);   // there and back
  const auto listener = fabric_.listeners_.find(address.text());
  if (listener == fabric_.listeners_.end()) {
    co_return fail(Errc::unavailable, "cannot connect to " + address.text() + ": nobody listens there");
  }
  auto link = std::make_shared<Link>(core_, listener->second->core, host_, address.host);
  fabric_.links_.push_back(link);
  const Address from{host_, fabric_.next_port_++};
  listener->second->arrive(std::make_unique<MemoryStream>(listener->second->core, fabric_, link, 1, from));
  co_return std::make_unique<MemoryStream>(core_, fabric_, link, 0, address);
}

}  // namespace skerry::net::testing
