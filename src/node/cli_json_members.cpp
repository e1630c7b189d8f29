// SPDX-License-Identifier: Apache-2.0
#include "node/cli_json_members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/bytes.hpp"
#include "node/cli_parse.hpp"

namespace skerry::node {
namespace {

namespace json = boost::json;

constexpr std::string_view json_space = " \t\r\n";

// Walks over text that is known to be JSON.
class JsonText {
 public:
  explicit JsonText(std::string_view text) : rest_(text) {}

  char peek() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(json_space), rest_.size()));
    return rest_.empty() ? '\0' : rest_.front();
  }
  void skip() { rest_.remove_prefix(1); }
  std::string_view take_value() {
    peek();
    std::size_t length = 0;
    int depth = 0;
    do {
      const char c = rest_[length];
      if (c == '"') {
        length += string_length(length);
      } else if (depth == 0 && is_scalar(c)) {
        length = std::min(rest_.find_first_of(",}] \t\r\n", length), rest_.size());
      } else {
        depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
        ++length;
      }
    } while (depth > 0);
    const std::string_view value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }

 private:
  static bool is_scalar(char c) { return c != '{' && c != '['; }
  std::size_t string_length(std::size_t start) const {
    std::size_t at = start + 1;
    while (rest_[at] != '"') at += rest_[at] == '\\' ? 2 : 1;
    return at + 1 - start;
  }
  std::string_view rest_;
};

}  // namespace

Result<std::vector<JsonMember>> json_members(std::string_view object) {
  boost::system::error_code error;
  const json::value whole = json::parse(json::string_view(object.data(), object.size()), error);
  if (error) return refuse(fmt::format("not JSON ({}): {}", error.message(), printable(object)));
  if (!whole.is_object()) return refuse(fmt::format("expected an object, got {}", printable(object)));
  std::vector<JsonMember> members;
  std::set<std::string> names;
  JsonText text(object);
  text.peek();
  for (text.skip(); text.peek() != '}'; text.peek() == ',' ? text.skip() : void()) {
    const json::value name = json::parse(text.take_value());
    JsonMember member{.name = std::string(name.get_string()), .value = {}, .text = {}};
    if (!names.insert(member.name).second) return refuse(fmt::format("{} is given twice", printable(member.name)));
    text.peek();
    text.skip();   // the colon
    member.text = text.take_value();
    member.value = whole.get_object().at(member.name);
    members.push_back(std::move(member));
  }
  return members;
}

const JsonMember* find_member(const std::vector<JsonMember>& members, std::string_view name) {
  const auto found = std::ranges::find(members, name, &JsonMember::name);
  return found == members.end() ? nullptr : &*found;
}

std::string json_record_value(const JsonMember& member) {
  return member.value.is_string() ? std::string(member.value.get_string()) : std::string(member.text);
}

Result<std::vector<client::IndexKey>> json_indexes(const JsonMember& member) {
  const auto wrong = [] { return refuse("\"indexes\" must be an object of name and key: {\"by-owner\":\"anna\"}"); };
  if (!member.value.is_object()) return wrong();
  TRY(const auto entries, json_members(member.text));
  std::vector<client::IndexKey> indexes;
  for (const JsonMember& entry : entries) {
    if (!entry.value.is_string()) return wrong();
    indexes.push_back({entry.name, std::string(entry.value.get_string())});
  }
  return indexes;
}

}  // namespace skerry::node
