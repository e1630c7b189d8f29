// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace skerry::control {

// A file that is replaced whole: a line with what it is, its format, its size and its checksum, then the body.
struct MetadataDocument {
  std::string_view what;   // "skerry cluster status"
  int format = 1;

  Bytes seal(BytesView body) const;
  // The body, within `whole`. Fails with corrupt or unsupported; the text names `path` and the remedy.
  Result<BytesView> open(BytesView whole, const std::string& path) const;

 private:
  std::string head_of(BytesView body) const;
};

}   // namespace skerry::control
