// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "net/file_stamp.hpp"

namespace skerry::client {

// The token that a client proves itself with: a fixed one, or what stands in a file, which is read again when it changes, so that
// whoever renews it need not tell. A file that is gone or empty for a moment leaves the token as it was. One core's.
class TokenSource {
 public:
  TokenSource() = default;   // no token
  // Fails with invalid_argument or io_failed; the text never repeats the token.
  static Result<TokenSource> open(std::string token, std::string path);
  const std::string& current(TimePoint now);   // "" when there is none

 private:
  std::string token_, path_;
  net::FileStamp seen_;
  TimePoint looked_at_ = TimePoint::min();
};

}   // namespace skerry::client
