// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skerry {

// Levenshtein's distance: letters to add, drop or change. For short words.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The known word that was probably meant by a misspelt one: "" when none is near. More than a third of the letters wrong (or two,
// of short words) is no slip of the pen.
std::string nearest(std::string_view misspelt, const std::vector<std::string>& known);

// "; did you mean get?", or "" when no known word is near. For the end of an error text.
std::string did_you_mean(std::string_view misspelt, const std::vector<std::string>& known);

}   // namespace skerry
