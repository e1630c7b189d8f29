// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace skerry {

// What goes between the quotes of a JSON (and YAML) string: control characters, and bytes from the first broken UTF-8 sequence
// on, as escapes, so that any bytes give a valid document and a harmless terminal.
void append_escaped(std::string& out, std::string_view text);
void append_quoted(std::string& out, std::string_view text);
inline std::string json_quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}   // namespace skerry
