// SPDX-License-Identifier: Apache-2.0
#include "base/nearest.hpp"

#include <algorithm>

namespace skerry {
namespace {

constexpr std::size_t compared_bytes_max = 256;   // the work grows with the square

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view misspelt, const std::vector<std::string>& known) {
  const std::string_view compared = misspelt.substr(0, compared_bytes_max);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, compared.size() / 3) + 1;
  for (const std::string& word : known) {
    const std::size_t distance = edit_distance(compared, word);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = word;
  }
  return best;
}

std::string did_you_mean(std::string_view misspelt, const std::vector<std::string>& known) {
  const std::string meant = nearest(misspelt, known);
  return meant.empty() ? std::string() : "; did you mean " + meant + "?";
}

}  // namespace skerry
