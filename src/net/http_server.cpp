// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"

namespace skerry::net {
namespace {

namespace http = boost::beast::http;

constexpr auto accept_retry = 100ms;   // after a failure such as "too many open files"

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<std::string> decode_path(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low || (*high == 0 && *low == 0)) return std::nullopt;
    path += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return path;
}

HttpResponse refusal(int status, std::string text) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(text) + "\n";
  return response;
}

enum class KeepAlive { no, yes };
enum class SendBody { no, yes };

enum class Length { known, chunked, until_closed };

std::string head_of(const HttpResponse& response, KeepAlive keep_alive, Length length) {
  std::string head =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", response.status,
                  std::string_view(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)))),
                  response.content_type);
  if (length == Length::known) head += fmt::format("Content-Length: {}\r\n", response.body.size());
  if (length == Length::chunked) head += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (keep_alive == KeepAlive::no) head += "Connection: close\r\n";
  return head + "\r\n";
}

Task<Result<HttpResponse>> as_result(Task<HttpResponse> task) { co_return co_await std::move(task); }

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

// Counts a connection for as long as it lives.
class HttpServer::Place {
 public:
  explicit Place(HttpServer& server) : server_(server) { ++server_.connections_; }
  Place(const Place&) = delete;
  ~Place() {
    --server_.connections_;
    server_.connection_ended_.notify_all();
  }

 private:
  HttpServer& server_;
};

// One client: reads requests one after the other and writes the responses.
class HttpServer::Connection final : private HttpReply {
 public:
  Connection(HttpServer& server, Stream& stream) : server_(server), stream_(stream) {}

  Task<> serve() {
    for (;;) {
      auto parser = std::make_unique<Parser>();   // a parser can't be used twice
      parser->eager(true);
      parser->header_limit(static_cast<std::uint32_t>(server_.options_.header_bytes_max));
      parser->body_limit(server_.options_.body_bytes_max);
      const auto refused = co_await read(*parser);
      if (gone_) co_return;
      if (refused) {
        co_await write_whole(*refused, KeepAlive::no, SendBody::yes);
        co_return;
      }
      const bool head = parser->get().method() == http::verb::head;
      const KeepAlive keep_alive = parser->get().keep_alive() ? KeepAlive::yes : KeepAlive::no;
      auto request = take(*parser);
      auto route = request ? server_.find(*request) : std::unexpected(request.error());
      if (route && (*route)->long_handler) {
        keep_alive_ = keep_alive;
        chunks_ = parser->get().version() >= 11;
        co_await answer_long((*route)->long_handler, *std::move(request));
      } else {
        const HttpResponse response = route ? co_await server_.answer(**route, *std::move(request)) : std::move(route).error();
        co_await write_whole(response, keep_alive, head ? SendBody::no : SendBody::yes);
      }
      if (gone_ || keep_alive == KeepAlive::no || (length_ == Length::until_closed)) co_return;
    }
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  // A whole request into the parser. Returns what to refuse it with; sets gone_ when there is nobody to tell.
  Task<std::optional<HttpResponse>> read(Parser& parser) {
    Deadline deadline =
        server_.core_.now() + (pending_.empty() ? server_.options_.idle_timeout : server_.options_.request_timeout);
    bool told_to_continue = false;
    for (;;) {
      boost::system::error_code error;
      while (!pending_.empty() && !parser.is_done()) {
        const std::size_t taken = parser.put(asio::buffer(pending_), error);
        pending_.erase(0, taken);
        if (error || taken == 0) break;
      }
      if (error && error != http::error::need_more) co_return why_refused(error);
      if (parser.is_done()) co_return std::nullopt;
      if (parser.is_header_done() && !told_to_continue && parser.get()[http::field::expect] == "100-continue") {
        told_to_continue = true;
        if (!co_await write_text("HTTP/1.1 100 Continue\r\n\r\n")) co_return std::nullopt;
      }
      const bool first = !parser.got_some() && pending_.empty();
      if (!co_await read_more(deadline)) {
        if (timed_out_ && !first) co_return refusal(408, "the request did not arrive in time");
        gone_ = true;
        co_return std::nullopt;
      }
      if (first) deadline = server_.core_.now() + server_.options_.request_timeout;
    }
  }

  Task<bool> read_more(Deadline deadline) {
    std::array<char, 8192> chunk;
    const auto count = co_await with_deadline(server_.core_, stream_.read_some(chunk), deadline);
    timed_out_ = !count && count.error().code == Errc::deadline_exceeded;
    if (!count || *count == 0) co_return false;
    pending_.append(chunk.data(), *count);
    co_return true;
  }

  HttpResponse why_refused(const boost::system::error_code& error) const {
    const HttpServerOptions& options = server_.options_;
    if (error == http::error::header_limit) {
      return refusal(431, fmt::format("the request's header is larger than {} bytes", options.header_bytes_max));
    }
    if (error == http::error::body_limit) {
      return refusal(413, fmt::format("the request's body is larger than {} bytes", options.body_bytes_max));
    }
    return refusal(400, "this is no HTTP/1.1 request: " + error.message());
  }

  std::expected<HttpRequest, HttpResponse> take(Parser& parser) {
    auto& message = parser.get();
    HttpRequest request;
    request.method = std::string_view(message.method_string());
    const std::string_view target(message.target().data(), message.target().size());
    const auto question = target.find('?');
    auto path = decode_path(target.substr(0, question));
    if (!path || !path->starts_with('/')) return std::unexpected(refusal(400, "the request's target is no path like /metrics"));
    request.path = *std::move(path);
    if (question != std::string_view::npos) request.query = target.substr(question + 1);
    for (const auto& field : message) {
      std::string name(field.name_string().data(), field.name_string().size());
      std::ranges::transform(name, name.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      request.headers.emplace_back(std::move(name), std::string(field.value().data(), field.value().size()));
    }
    request.body = std::move(message.body());
    request.peer = stream_.peer();
    request.certificate = stream_.peer_certificate();
    return request;
  }

  // --- an answer that takes its time
  Task<> answer_long(const LongHandler& handler, HttpRequest request) {
    length_ = Length::known;
    begun_ = false;
    Event ended(server_.core_);
    std::vector<Task<>> both;
    both.push_back(run(handler, std::move(request), ended));
    both.push_back(watch(ended));
    co_await run_beside(server_.core_, ended.wait(), run_all(server_.core_, std::move(both)));
    if (gone_) co_return;
    if (!begun_) co_await write_whole(refusal(500, "the request was not answered"), keep_alive_, SendBody::yes);
    if (length_ == Length::chunked) co_await write_text("0\r\n\r\n");
  }
  Task<> run(const LongHandler& handler, HttpRequest request, Event& ended) {
    co_await handler(std::move(request), *this);
    ended.set();
  }
  // A client that hangs up ends its handler. What it sends meanwhile is its next request: a little is kept, for later.
  Task<> watch(Event& ended) {
    std::array<char, 8192> chunk;
    while (pending_.size() < chunk.size() && !ended.is_set()) {
      const auto count = co_await stream_.read_some(chunk);
      if (count && *count > 0) {
        pending_.append(chunk.data(), *count);
        continue;
      }
      if (!ended.is_set()) gone_ = true;   // otherwise the read was cut short, because of that
      ended.set();
    }
  }

  Task<Result<>> send(HttpResponse response) override {
    SKERRY_ASSERT(!begun_);
    begun_ = true;
    co_return as_result(co_await write_whole(response, keep_alive_, SendBody::yes));
  }
  Task<Result<>> begin(HttpResponse head) override {
    SKERRY_ASSERT(!begun_);
    begun_ = true;
    length_ = chunks_ ? Length::chunked : Length::until_closed;
    const std::string text = head_of(head, chunks_ ? keep_alive_ : KeepAlive::no, length_);
    co_return as_result(co_await write_text(text));
  }
  Task<Result<>> write(BytesView piece) override {
    SKERRY_ASSERT(begun_);
    if (piece.empty()) co_return Result<>{};
    const std::string size = fmt::format("{:x}\r\n", piece.size());
    const std::array<BytesView, 3> chunk = {size, piece, "\r\n"};
    co_return as_result(co_await write_pieces(length_ == Length::chunked ? std::span(chunk) : std::span(chunk).subspan(1, 1)));
  }
  bool begun() const override { return begun_; }
  static Result<> as_result(bool written) {
    if (!written) return fail(Errc::closed, "the client is gone");
    return {};
  }

  Task<bool> write_whole(const HttpResponse& response, KeepAlive keep_alive, SendBody send_body) {
    length_ = Length::known;
    const std::string head = head_of(response, keep_alive, length_);
    const std::array<BytesView, 2> pieces = {head, send_body == SendBody::yes ? BytesView(response.body) : BytesView()};
    co_return co_await write_pieces(std::span(pieces).first(pieces[1].empty() ? 1 : 2));
  }
  Task<bool> write_text(std::string_view text) {
    const std::array<BytesView, 1> pieces = {text};
    co_return co_await write_pieces(pieces);
  }
  // A client that doesn't read is left. So is one to which a write was cut short: what follows would not be understood.
  Task<bool> write_pieces(std::span<const BytesView> pieces) {
    if (std::exchange(gone_, true)) co_return false;
    const auto written =
        co_await with_deadline(server_.core_, stream_.write(pieces), server_.core_.now() + server_.options_.request_timeout);
    gone_ = !written;
    co_return !gone_;
  }

  HttpServer& server_;
  Stream& stream_;
  std::string pending_;   // read and not parsed
  bool gone_ = false, timed_out_ = false;
  // Of the request that is being answered at length.
  KeepAlive keep_alive_ = KeepAlive::yes;
  Length length_ = Length::known;
  bool chunks_ = true, begun_ = false;
};

HttpServer::HttpServer(Core& core, Network& network, HttpServerOptions options)
    : core_(core), network_(network), options_(std::move(options)), connection_ended_(core), tasks_(core) {}

HttpServer::~HttpServer() = default;

void HttpServer::route(std::string method, std::string path, Handler handler) {
  add(std::move(method), std::move(path), {std::move(handler), nullptr});
}

void HttpServer::route_long(std::string method, std::string path, LongHandler handler) {
  add(std::move(method), std::move(path), {nullptr, std::move(handler)});
}

void HttpServer::add(std::string method, std::string path, Route route) {
  SKERRY_ASSERT(path.starts_with('/') && listener_ == nullptr);
  routes_[std::move(path)][std::move(method)] = std::move(route);
}

Result<Address> HttpServer::start(const Address& address) {
  TRY(listener_, network_.listen(address));
  tasks_.spawn(accept_loop());
  return listener_->address();
}

Task<> HttpServer::stop() {
  if (listener_) listener_->close();
  co_await tasks_.cancel_and_join();
}

Task<> HttpServer::accept_loop() {
  for (;;) {
    while (connections_ >= options_.connections_max) co_await connection_ended_.wait();
    auto stream = co_await listener_->accept();
    if (stream) {
      tasks_.spawn(serve(*std::move(stream)));
      co_await core_.yield();   // so that the connection is counted before the next is accepted
    } else if (stream.error().code == Errc::closed) {
      co_return;
    } else {
      co_await core_.sleep_for(accept_retry);
    }
  }
}

Task<> HttpServer::serve(std::unique_ptr<Stream> stream) {
  const Place place(*this);
  if (stream->needs_handshake()) {
    const Result<> done = co_await stream->handshake(core_.now() + options_.handshake_timeout);
    if (!done && options_.on_handshake_failed) options_.on_handshake_failed(stream->peer(), done.error());
    if (!done) co_return;
  }
  Connection connection(*this, *stream);
  co_await connection.serve();
  stream->close();
}

const HttpServer::RoutesOfPath* HttpServer::find_path(std::string_view path) const {
  if (const auto exact = routes_.find(path); exact != routes_.end()) return &exact->second;
  for (auto end = path.rfind('/'); end != std::string_view::npos;
       end = end == 0 ? std::string_view::npos : path.rfind('/', end - 1)) {
    if (const auto below = routes_.find(path.substr(0, end + 1)); below != routes_.end()) return &below->second;
  }
  return nullptr;
}

// By the path, then by the method; or what to answer instead.
std::expected<const HttpServer::Route*, HttpResponse> HttpServer::find(const HttpRequest& request) const {
  if (options_.refuse) {
    if (auto refused = options_.refuse(request)) return std::unexpected(*std::move(refused));
  }
  const RoutesOfPath* methods = find_path(request.path);
  if (methods == nullptr) {
    std::vector<std::string_view> paths;
    paths.reserve(routes_.size());
    for (const auto& [path, of_path] : routes_) paths.push_back(path);
    return std::unexpected(refusal(404, fmt::format("no such path; there are {}", fmt::join(paths, ", "))));
  }
  const auto found = methods->find(request.method == "HEAD" && !methods->contains("HEAD") ? "GET" : request.method);
  if (found == methods->end()) {
    std::vector<std::string_view> names;
    names.reserve(methods->size());
    for (const auto& [name, each] : *methods) names.push_back(name);
    HttpResponse response = refusal(405, fmt::format("this path takes {}", fmt::join(names, ", ")));
    response.headers.emplace_back("Allow", fmt::format("{}", fmt::join(names, ", ")));
    return std::unexpected(std::move(response));
  }
  return &found->second;
}

Task<HttpResponse> HttpServer::answer(const Route& route, HttpRequest request) {
  auto response =
      co_await with_deadline(core_, as_result(route.handler(std::move(request))), core_.now() + options_.handler_timeout);
  if (!response) co_return refusal(503, "the answer took too long");
  co_return *std::move(response);
}

}  // namespace skerry::net
