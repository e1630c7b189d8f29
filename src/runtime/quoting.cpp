// SPDX-License-Identifier: Apache-2.0
#include "runtime/quoting.hpp"

#include <fmt/format.h>

#include <iterator>

#include "base/bytes.hpp"

namespace skerry {

void append_escaped(std::string& out, std::string_view text) {
  const auto invalid = find_invalid_utf8(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F || (invalid && i >= *invalid && byte >= 0x80)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

}  // namespace skerry
