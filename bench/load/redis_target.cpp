// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <deque>
#include <vector>

#include "load/target.hpp"
#include "runtime/core.hpp"
#include "runtime/event.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::bench {
namespace {

void append_bulk(Bytes& out, BytesView word) { fmt::format_to(std::back_inserter(out), "${}\r\n{}\r\n", word.size(), word); }

void append_command(Bytes& out, const Operation& operation) {
  const bool put = operation.kind == Operation::Kind::put;
  out += put ? "*3\r\n$3\r\nSET\r\n" : "*2\r\n$3\r\nGET\r\n";
  append_bulk(out, operation.key);
  if (put) append_bulk(out, operation.value);
}

// Length of the complete RESP reply at the front of `bytes`; 0 while it is incomplete.
std::size_t reply_length(BytesView bytes) {
  const std::size_t line_end = bytes.find("\r\n");
  if (line_end == BytesView::npos) return 0;
  if (bytes[0] != '$') return line_end + 2;
  long size = 0;
  std::from_chars(bytes.data() + 1, bytes.data() + line_end, size);
  const std::size_t length = size < 0 ? line_end + 2 : line_end + 2 + static_cast<std::size_t>(size) + 2;
  return bytes.size() >= length ? length : 0;
}

// One connection: commands leave with everything else of the turn, replies are matched in order.
class RedisConnection final : TurnHook {
 public:
  RedisConnection(Core& core, std::unique_ptr<net::Stream> stream)
      : core_(core), stream_(std::move(stream)), written_(core), tasks_(core) {
    tasks_.spawn(read_replies());
    tasks_.spawn(write_commands());
  }

  Task<Result<>> execute(std::span<const Operation> operations) {
    for (const Operation& operation : operations) append_command(gathered_, operation);
    Pending pending(core_, operations.size());
    pending_.push_back(&pending);
    core_.at_turn_end(*this);
    co_await pending.done.wait();
    co_return std::move(pending.result);
  }

  Task<> stop() {
    stream_->close();
    co_await tasks_.cancel_and_join();
  }

 private:
  struct Pending {
    Pending(Core& core, std::size_t count) : replies(count), done(core) {}
    std::size_t replies;
    Event done;
    Result<> result;
  };

  void on_turn_end() override { written_.notify_all(); }

  Task<> write_commands() {
    for (;;) {
      while (gathered_.empty()) co_await written_.wait();
      const Bytes out = std::exchange(gathered_, {});
      const std::array<BytesView, 1> pieces{out};
      if (!co_await stream_->write(pieces)) co_return;
    }
  }

  Task<> read_replies() {
    std::vector<char> buffer(1 << 18);
    std::size_t filled = 0;
    for (;;) {
      const auto count = co_await stream_->read_some(std::span(buffer).subspan(filled));
      if (!count || *count == 0) co_return fail_all();
      filled += *count;
      std::size_t taken = 0;
      while (const std::size_t length = reply_length({buffer.data() + taken, filled - taken})) {
        take({buffer.data() + taken, length});
        taken += length;
      }
      std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(taken), buffer.begin() + static_cast<std::ptrdiff_t>(filled),
                buffer.begin());
      filled -= taken;
      if (filled == buffer.size()) buffer.resize(2 * buffer.size());
    }
  }

  void take(BytesView reply) {
    Pending& pending = *pending_.front();
    if (reply[0] == '-' || reply == "$-1\r\n") pending.result = fail(Errc::internal, fmt::format("redis answered {}", reply));
    if (--pending.replies > 0) return;
    pending_.pop_front();
    pending.done.set();
  }

  void fail_all() {
    for (Pending* pending : pending_) {
      pending->result = fail(Errc::closed, "redis closed the connection");
      pending->done.set();
    }
    pending_.clear();
  }

  Core& core_;
  std::unique_ptr<net::Stream> stream_;
  Bytes gathered_;
  std::deque<Pending*> pending_;
  Signal written_;
  TaskScope tasks_;
};

class RedisTarget final : public Target {
 public:
  RedisTarget(Core& core, net::Network& network, TargetOptions options)
      : core_(core), network_(network), options_(std::move(options)) {}

  Task<Result<>> connect() override {
    for (std::uint32_t i = 0; i < options_.connections; ++i) {
      CO_TRY(auto stream, co_await network_.connect(options_.addresses[0], core_.now() + 5s));
      connections_.push_back(std::make_unique<RedisConnection>(core_, std::move(stream)));
    }
    co_return Result<>{};
  }

  Task<Result<>> execute(std::span<const Operation> operations) override {
    co_return co_await connections_[next_++ % connections_.size()]->execute(operations);
  }

  Task<> stop() override {
    for (auto& connection : connections_) co_await connection->stop();
  }

 private:
  Core& core_;
  net::Network& network_;
  TargetOptions options_;
  std::vector<std::unique_ptr<RedisConnection>> connections_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Target> make_redis_target(Core& core, net::Network& network, TargetOptions options) {
  return std::make_unique<RedisTarget>(core, network, std::move(options));
}

}  // namespace skerry::bench
