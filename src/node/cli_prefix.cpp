// SPDX-License-Identifier: Apache-2.0
#include "node/cli_prefix.hpp"

#include <algorithm>
#include <cstdint>

#include "base/bytes.hpp"

namespace skerry::node {
namespace {

using store::KeyOrder;

constexpr std::uint32_t code_point_max = 0x10FFFF, surrogates_first = 0xD800, surrogates_last = 0xDFFF;

// Takes the last character off well-formed text; of other text something, for the server to refuse the rest.
std::uint32_t take_last(std::string& text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::size_t length = text.size() - at;
  std::uint32_t point = length == 1 ? byte(at) : byte(at) & (0x7FU >> length);
  for (std::size_t i = at + 1; i < text.size(); ++i) point = point << 6 | (byte(i) & 0x3F);
  text.resize(at);
  return point;
}

void append_point(std::string& text, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto rest = [&](int shift) { put(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    rest(0);
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    rest(6);
    rest(0);
  } else {
    put(0xF0 | point >> 18);
    rest(12);
    rest(6);
    rest(0);
  }
}

std::size_t slashes_in(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '/')); }

// Below every text that begins with `text`, in the bytes of the hierarchical order, where '/' is above all; close to them. Empty:
// there is none.
std::string text_before(std::string text) {
  if (text.empty()) return text;
  const std::uint32_t last = take_last(text);
  if (last == 0) return text_before(text);
  std::uint32_t before = last == '/' ? code_point_max : last - 1;
  if (before == '/') --before;
  if (before == surrogates_last) before = surrogates_first - 1;
  append_point(text, before);
  return text;
}

// Where a key that does not begin with the prefix stands beside those of its depth that do.
bool stands_before(std::string_view key, std::string_view prefix) {
  const auto rank = [](char c) { return c == '/' ? 0xFF : static_cast<int>(static_cast<unsigned char>(c)); };
  return std::ranges::lexicographical_compare(key, prefix, {}, rank, rank);
}

}   // namespace

std::optional<std::string> text_after(std::string_view prefix) {
  for (std::string text(prefix); !text.empty();) {
    const std::uint32_t last = take_last(text);
    if (last == code_point_max) continue;
    append_point(text, last + 1 == surrogates_first ? surrogates_last + 1 : last + 1);
    return text;
  }
  return std::nullopt;
}

PrefixWalk::PrefixWalk(KeyOrder order, client::Direction direction, std::string prefix)
    : order_(order), direction_(direction), prefix_(std::move(prefix)), range_{prefix_, {}} {
  if (order_ == KeyOrder::natural) range_.end = text_after(prefix_).value_or("");
}

PrefixWalk::Step PrefixWalk::meet(std::string_view key) {
  if (key.starts_with(prefix_)) return Step::take;
  if (order_ == KeyOrder::natural || direction_ == client::Direction::backward) return Step::pass;
  const std::size_t slashes = slashes_in(key) - (key.ends_with("//") ? 1 : 0);
  std::string from = first_at(stands_before(key, prefix_) ? slashes : slashes + 1);
  if (store::encode_key(order_, from) <= store::encode_key(order_, key)) return Step::pass;
  range_.start = std::move(from);
  return Step::begin_anew;
}

// At the depth of a key with so many slashes: not above any key there that begins with the prefix.
std::string PrefixWalk::first_at(std::size_t slashes) const {
  if (slashes == slashes_in(prefix_) && !prefix_.ends_with("//")) return prefix_;
  std::string from = text_before(prefix_);
  const std::size_t has = slashes_in(from);
  if (from.empty() || slashes <= has) return prefix_;   // the latter: no key of so few can begin with it
  from.append(slashes - has, '/');
  if (from.ends_with("//")) from.push_back('/');   // the last of two does not count
  return from;
}

}   // namespace skerry::node
