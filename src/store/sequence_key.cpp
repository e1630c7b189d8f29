// SPDX-License-Identifier: Apache-2.0
#include "store/sequence_key.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

namespace skerry::store {
namespace {

constexpr std::uint64_t part_max = std::numeric_limits<std::uint64_t>::max();

// The parts of what follows the prefix: "-" and twenty digits, again and again.
std::optional<std::vector<std::uint64_t>> parse_parts(BytesView suffix) {
  std::vector<std::uint64_t> parts;
  if (suffix.size() % sequence_part_bytes != 0) return std::nullopt;
  for (; !suffix.empty(); suffix.remove_prefix(sequence_part_bytes)) {
    std::uint64_t part = 0;
    const char* const first = suffix.data() + 1;
    const char* const last = suffix.data() + sequence_part_bytes;
    if (suffix[0] != '-' || std::from_chars(first, last, part) != std::from_chars_result{last, std::errc{}}) return std::nullopt;
    parts.push_back(part);
  }
  return parts;
}

void append_part(std::uint64_t part, Bytes& key) {
  const std::string digits = std::to_string(part);
  key += '-';
  key.append(sequence_part_bytes - 1 - digits.size(), '0');
  key += digits;
}

}  // namespace

Bytes sequence_search_bound(BytesView prefix) { return Bytes(prefix) + '-' + std::to_string(part_max); }

bool is_below_sequence(BytesView prefix, BytesView key) {
  return key.starts_with(prefix) && key.substr(prefix.size()).starts_with('-');
}

bool is_sequence_key(BytesView prefix, BytesView key) {
  return is_below_sequence(prefix, key) && parse_parts(key.substr(prefix.size())).has_value();
}

Result<Bytes> make_sequence_key(BytesView prefix, std::span<const std::uint64_t> deltas, const std::optional<Bytes>& last_key) {
  std::vector<std::uint64_t> parts;
  if (last_key) {
    auto parsed = parse_parts(BytesView(*last_key).substr(prefix.size()));
    if (!parsed)
      return fail(Errc::invalid_argument, "the last key under sequence prefix " + printable(prefix) + " is " +
                                              printable(*last_key) +
                                              ", which no sequence made: delete it or choose another prefix");
    parts = *std::move(parsed);
  }
  if (parts.size() > deltas.size())
    return fail(Errc::invalid_argument, "the last key of sequence " + printable(prefix) + " has " + std::to_string(parts.size()) +
                                            " parts, but only " + std::to_string(deltas.size()) + " deltas are given");
  parts.resize(deltas.size());

  Bytes key(prefix);
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    // The greatest first part is the bound of the search: a key with it would never be found again.
    const std::uint64_t most = i == 0 ? part_max - 1 : part_max;
    if (parts[i] > most || deltas[i] > most - parts[i])
      return fail(Errc::invalid_argument,
                  "part " + std::to_string(i) + " of sequence " + printable(prefix) + " would exceed " + std::to_string(most));
    append_part(parts[i] + deltas[i], key);
  }
  return key;
}

}  // namespace skerry::store
