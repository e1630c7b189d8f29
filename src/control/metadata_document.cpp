// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_document.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/hash.hpp"

namespace skerry::control {

std::string MetadataDocument::head_of(BytesView body) const {
  return fmt::format("{}, format {}, {} bytes, crc32c {:08x}\n", what, format, body.size(), crc32c(body));
}

Bytes MetadataDocument::seal(BytesView body) const { return head_of(body).append(body); }

Result<BytesView> MetadataDocument::open(BytesView whole, const std::string& path) const {
  const std::string format_words = fmt::format("{}, format ", what);
  int found = 0;
  if (whole.starts_with(format_words)) {
    std::from_chars(whole.data() + format_words.size(), whole.data() + whole.size(), found);
    if (found > format) {
      return fail(Errc::unsupported,
                  fmt::format("{} has format {}, and this program reads up to {}: start the newer Skerry that wrote it", path,
                              found, format));
    }
  }
  const std::size_t line_end = whole.find('\n');
  const BytesView body = line_end == BytesView::npos ? BytesView() : whole.substr(line_end + 1);
  if (line_end != BytesView::npos && whole.substr(0, line_end + 1) == head_of(body)) return body;
  return fail(Errc::corrupt, fmt::format("{} was {} (its checksum does not match): restore it from a backup", path,
                                         whole.empty() ? "emptied" : "cut or changed"));
}

}  // namespace skerry::control
