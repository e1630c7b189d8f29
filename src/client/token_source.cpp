// SPDX-License-Identifier: Apache-2.0
#include "client/token_source.hpp"

#include <algorithm>

namespace skerry::client {
namespace {

constexpr std::size_t token_bytes_max = 12 << 10;   // what servers take beside other headers
constexpr auto look_every = 1s;

Result<std::string> check(std::string token, const std::string& where) {
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  if (token.empty()) return fail(Errc::invalid_argument, where + " holds no token");
  const bool sound = std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7F; });
  if (!sound) return fail(Errc::invalid_argument, where + " holds something that is no token: spaces or unprintable characters");
  return token;
}

Result<std::string> read_token(const std::string& path) {
  TRY(std::string text, net::read_small_file(path, token_bytes_max));
  return check(std::move(text), path);
}

}  // namespace

Result<TokenSource> TokenSource::open(std::string token, std::string path) {
  TokenSource source;
  if (!token.empty() && !path.empty()) return fail(Errc::invalid_argument, "a token and a file with a token exclude each other");
  if (!token.empty()) {
    TRY(source.token_, check(std::move(token), "the token's text"));
  } else if (!path.empty()) {
    source.seen_ = net::FileStamp::of(path);
    TRY(source.token_, read_token(path));
    source.path_ = std::move(path);
  }
  return source;
}

const std::string& TokenSource::current(TimePoint now) {
  if (path_.empty() || (looked_at_ != TimePoint::min() && now - looked_at_ < look_every)) return token_;
  looked_at_ = now;
  const net::FileStamp stamp = net::FileStamp::of(path_);
  if (stamp == seen_) return token_;
  seen_ = stamp;
  if (auto renewed = read_token(path_)) token_ = *std::move(renewed);
  return token_;
}

}  // namespace skerry::client
