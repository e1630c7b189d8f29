// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "client/types.hpp"

// Lines of JSON as commands take them. Pure; every failure is invalid_argument and says what is expected.
namespace skerry::node {

struct JsonMember {
  std::string name;
  boost::json::value value;
  std::string_view text;   // of the value, as it was written
};

// Of one object, in its order. Refuses a name that comes twice: which of both was meant? What it returns looks into `object`.
Result<std::vector<JsonMember>> json_members(std::string_view object);
const JsonMember* find_member(const std::vector<JsonMember>& members, std::string_view name);   // null: there is none

// What a record's value becomes: a string's characters, and the very text of everything else.
std::string json_record_value(const JsonMember& member);
Result<std::vector<client::IndexKey>> json_indexes(const JsonMember& member);

}  // namespace skerry::node
