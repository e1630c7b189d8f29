// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_control.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "net/tcp.hpp"
#include "runtime/join.hpp"

namespace skerry::node {
namespace {

using Word = ControlRequest::Word;
using Direction = ControlRequest::Direction;

constexpr std::array words{std::pair(Word::kill, "kill"),           std::pair(Word::pause, "pause"),
                           std::pair(Word::resume, "resume"),       std::pair(Word::restart, "restart"),
                           std::pair(Word::partition, "partition"), std::pair(Word::heal, "heal")};
constexpr std::array directions{std::pair(Direction::both, "both"), std::pair(Direction::in, "in"),
                                std::pair(Direction::out, "out")};
constexpr std::array failures{std::pair(Errc::invalid_argument, "wrong"), std::pair(Errc::not_found, "missing"),
                              std::pair(Errc::internal, "failed")};   // the last for all others
constexpr std::string_view done = "done";
constexpr std::string_view everybody = "-";   // in place of a member
constexpr std::size_t line_bytes_max = 4096;
constexpr auto line_patience = 5s;      // of the server, with a request
constexpr auto control_patience = 60s;   // of the client: a restart takes its time

template <class Rows, class Value>
std::string_view name_in(const Rows& rows, Value value) {
  for (const auto& [each, name] : rows) {
    if (each == value) return name;
  }
  return rows.back().second;
}
template <class Value, class Rows>
std::optional<Value> value_in(const Rows& rows, std::string_view text) {
  for (const auto& [each, name] : rows) {
    if (text == name) return each;
  }
  return std::nullopt;
}

std::string_view failure_name(const Error& error) {
  for (const auto& [code, name] : failures) {
    if (error == code) return name;
  }
  return failures.back().second;
}

// Up to the end of the line, without it.
Task<Result<std::string>> read_line(net::Stream& stream) {
  std::string line;
  std::array<char, 512> buffer;
  while (line.size() < line_bytes_max) {
    CO_TRY(const std::size_t count, co_await stream.read_some(buffer));
    if (count == 0) break;
    line.append(buffer.data(), count);
    if (const std::size_t end = line.find('\n'); end != std::string::npos) {
      line.resize(end);
      co_return line;
    }
  }
  co_return fail(Errc::closed, "the other side ended before its line did");
}

Task<Result<>> write_line(net::Stream& stream, std::string line) {
  line += '\n';
  const BytesView piece = line;
  co_return co_await stream.write({&piece, 1});
}

Result<> write_private(const std::string& path, const std::string& text) {
  ::unlink(path.c_str());   // one that others could read stays theirs
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (file >= 0) ::close(file);
  if (written) return {};
  return fail(Errc::io_failed, fmt::format("{} can't be written: {}", path, std::strerror(error)));
}

struct Exchange {
  net::Address address;
  std::string line;
  Result<std::string> answer = fail(Errc::unavailable, "nobody answers");
};

Task<Result<std::string>> exchange(net::Stream& stream, std::string line) {
  CO_TRYV(co_await write_line(stream, std::move(line)));
  co_return co_await read_line(stream);
}

Task<> ask(Core& core, net::Network& network, Exchange& call) {
  const auto stream = co_await network.connect(call.address, core.now() + line_patience);
  if (!stream) {
    call.answer = fail(stream.error());
  } else {
    call.answer = co_await with_deadline(core, exchange(**stream, call.line), core.now() + control_patience);
  }
}

}  // namespace

std::string ControlRequest::to_line() const {
  std::string line =
      fmt::format("{} {} {}", name_in(words, word), member.empty() ? everybody : member, name_in(directions, direction));
  for (const std::string& peer : peers) line += " " + peer;
  return line;
}

Result<ControlRequest> ControlRequest::from_line(std::string_view line) {
  std::istringstream fields{std::string(line)};
  std::string asked, way;
  ControlRequest request;
  fields >> asked >> request.member >> way;
  const auto known = value_in<Word>(words, asked);
  const auto direction = value_in<Direction>(directions, way);
  if (!known || !direction) {
    return fail(Errc::invalid_argument, fmt::format("{} is nothing that can be asked of a cluster", printable(line)));
  }
  request.word = *known;
  request.direction = *direction;
  if (request.member == everybody) request.member.clear();
  for (std::string peer; fields >> peer;) request.peers.push_back(peer);
  return request;
}

ControlServer::ControlServer(Core& core, net::Network& network, std::string file, Handler handler)
    : core_(core), network_(network), file_(std::move(file)), handler_(std::move(handler)), tasks_(core) {}

Result<> ControlServer::start() {
  TRY(listener_, network_.listen({"127.0.0.1", 0}));
  secret_ = fmt::format("{:016x}{:016x}", core_.random().next(), core_.random().next());
  TRYV(write_private(file_, fmt::format("{} {}\n", listener_->address().text(), secret_)));
  tasks_.spawn(accept());
  return {};
}

Task<> ControlServer::stop() {
  if (!listener_) co_return;
  co_await tasks_.cancel_and_join();
  listener_.reset();
  ::unlink(file_.c_str());
}

Task<> ControlServer::accept() {
  for (;;) {
    auto accepted = co_await listener_->accept();
    if (!accepted) co_return;
    tasks_.spawn(serve(*std::move(accepted)));
  }
}

Task<> ControlServer::serve(std::unique_ptr<net::Stream> stream) {
  auto line = co_await with_deadline(core_, read_line(*stream), core_.now() + line_patience);
  if (!line) co_return;
  const auto answered = co_await answer(*std::move(line));
  const std::string text = answered ? fmt::format("{} {}", done, *answered)
                                    : fmt::format("{} {}", failure_name(answered.error()), answered.error().message());
  static_cast<void>(co_await write_line(*stream, text));
}

Task<Result<std::string>> ControlServer::answer(std::string line) {
  const std::size_t space = line.find(' ');
  if (space == std::string::npos || line.substr(0, space) != secret_) {
    co_return fail(Errc::invalid_argument, "that is not this cluster's secret");
  }
  CO_TRY(ControlRequest request, ControlRequest::from_line(line.substr(space + 1)));
  co_return co_await handler_(std::move(request));
}

Result<std::string> send_control(const std::string& file, const ControlRequest& request) {
  const auto nobody = [&] {
    return fail(Errc::unavailable, fmt::format("no `skerry cluster up` runs in {}: start it there, or say --dir",
                                               std::filesystem::path(file).parent_path().string()));
  };
  std::ifstream known(file);
  std::string place, secret;
  if (!(known >> place >> secret)) return nobody();
  TRY(net::Address address, net::Address::parse(place));
  SystemClock clock;
  Core core(CoreId{0}, clock, Random::system_seed());
  net::TcpNetwork network(core);
  TaskScope tasks(core);
  Exchange call{.address = std::move(address), .line = secret + " " + request.to_line()};
  tasks.spawn(ask(core, network, call));
  while (tasks.size() > 0) {
    if (!core.run_turn()) core.wait(no_deadline);
  }
  if (!call.answer) return nobody();
  const std::size_t space = std::min(call.answer->find(' '), call.answer->size());
  const std::string kind = call.answer->substr(0, space);
  std::string text = call.answer->substr(std::min(space + 1, call.answer->size()));
  if (kind == done) return text;
  return fail(value_in<Errc>(failures, kind).value_or(Errc::internal), std::move(text));
}

}  // namespace skerry::node
