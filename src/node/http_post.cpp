// SPDX-License-Identifier: Apache-2.0
#include "node/http_post.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "runtime/core.hpp"
#include "runtime/join.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t answer_bytes_max = 16 << 10;   // the rest is not looked at
constexpr std::string_view head_end = "\r\n\r\n";

std::string head_of(const HttpPost& post) {
  std::string head = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: skerry\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n",
      post.path, post.address.text(), post.content_type, post.body.size());
  for (const auto& [name, value] : post.headers) head += fmt::format("{}: {}\r\n", name, value);
  return head + "\r\n";
}

// Of "HTTP/1.1 200 OK"; nothing for what is no such line.
std::optional<int> status_of(std::string_view answer) {
  constexpr std::string_view start = "HTTP/1.";
  constexpr std::size_t status_at = 9;
  int status = 0;
  if (!answer.starts_with(start) || answer.size() < status_at + 3) return std::nullopt;
  const auto [end, error] = std::from_chars(answer.data() + status_at, answer.data() + status_at + 3, status);
  if (error != std::errc{} || status < 100) return std::nullopt;
  return status;
}

Task<Result<HttpAnswer>> talk(net::Network& network, HttpPost post, Deadline deadline) {
  CO_TRY(const auto stream, co_await network.connect(post.address, deadline));
  const std::string head = head_of(post);
  const std::array<BytesView, 2> pieces = {head, post.body};
  CO_TRYV(co_await stream->write(pieces));
  std::string answer;
  std::array<char, 4096> chunk;
  for (;;) {
    const std::size_t end = answer.find(head_end);
    const auto status = status_of(answer);
    if (end != std::string::npos && status && *status / 100 == 2) co_return HttpAnswer{*status, {}};
    const auto count = co_await stream->read_some(chunk);
    if (count && *count > 0 && answer.size() < answer_bytes_max) {
      answer.append(chunk.data(), *count);
      continue;
    }
    if (end == std::string::npos || !status) {
      co_return fail(Errc::unavailable, post.address.text() + " gave no answer that is HTTP/1.1");
    }
    co_return HttpAnswer{*status, answer.substr(end + head_end.size())};
  }
}

}  // namespace

Task<Result<HttpAnswer>> http_post(Core& core, net::Network& network, HttpPost post, Deadline deadline) {
  return with_deadline(core, talk(network, std::move(post), deadline), deadline);
}

}  // namespace skerry::node
