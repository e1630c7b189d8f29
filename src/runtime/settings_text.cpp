// SPDX-License-Identifier: Apache-2.0
// How settings are shown: as a JSON schema and as YAML. Both walk the keys as a tree.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "runtime/quoting.hpp"
#include "runtime/settings.hpp"

namespace skerry {
namespace {

// Sections and settings in the order of their declaration.
template <class Leaf>
struct Tree {
  std::vector<std::pair<std::string, std::unique_ptr<Tree>>> children;
  const Leaf* leaf = nullptr;

  Tree& child(const std::string& name) {
    for (auto& [known, tree] : children) {
      if (known == name) return *tree;
    }
    return *children.emplace_back(name, std::make_unique<Tree>()).second;
  }
  Tree& at(std::string_view path) {
    const auto dot = path.find('.');
    Tree& next = child(std::string(path.substr(0, dot)));
    return dot == std::string_view::npos ? next : next.at(path.substr(dot + 1));
  }
};

// `leaf` writes what stands at a setting.
template <class Leaf, class Write>
void write_schema(std::string& out, const Tree<Leaf>& tree, int depth, const Write& write) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  if (tree.leaf != nullptr) {
    write(out, *tree.leaf, indent);
    return;
  }
  out += fmt::format("{0}\"type\": \"object\",\n{0}\"additionalProperties\": false,\n{0}\"properties\": {{", indent);
  bool first = true;
  for (const auto& [name, child] : tree.children) {
    out += fmt::format("{}\n{}  {}: {{\n", first ? "" : ",", indent, json_quoted(name));
    write_schema(out, *child, depth + 2, write);
    out += fmt::format("\n{}  }}", indent);
    first = false;
  }
  out += fmt::format("\n{}}}", indent);
}

template <class Leaf, class Write>
void write_yaml(std::string& out, const Tree<Leaf>& tree, int depth, const Write& write) {
  for (const auto& [name, child] : tree.children) {
    out.append(static_cast<std::size_t>(depth) * 2, ' ');
    out += name + ":";
    if (child->leaf != nullptr) {
      write(out, *child->leaf);
    } else {
      out += '\n';
      write_yaml(out, *child, depth + 1, write);
    }
  }
}

std::string json_value(const SettingValue& value, Unit unit) {
  if (const auto* items = std::get_if<std::vector<std::string>>(&value)) {
    std::string out = "[";
    for (const auto& item : *items) out += (out.size() > 1 ? ", " : "") + json_quoted(item);
    return out + "]";
  }
  const std::string text = setting_text(value, unit);
  const bool bare = std::holds_alternative<bool>(value) || std::holds_alternative<double>(value) ||
                    (std::holds_alternative<std::int64_t>(value) && unit == Unit::none);
  return bare ? text : json_quoted(text);
}

}  // namespace

std::string Settings::schema(std::string_view title) const {
  Tree<Setting> tree;
  for (const Setting& setting : settings_) tree.at(setting.key_).leaf = &setting;
  const auto write = [](std::string& out, const Setting& setting, const std::string& indent) {
    static constexpr const char* types[] = {"\"boolean\"", "\"integer\"", "\"number\"",
                                            "\"string\"",  "\"string\"",  "[\"array\", \"string\"]"};
    const bool size = setting.unit_ != Unit::none;
    out += fmt::format("{}\"type\": {},\n", indent, size ? "[\"string\", \"integer\"]" : types[setting.default_.index()]);
    if (setting.kind() == SettingKind::list) out += fmt::format("{}\"items\": {{\"type\": \"string\"}},\n", indent);
    if (size) out += fmt::format("{}\"pattern\": {},\n", indent, json_quoted(R"(^[0-9]+(\.[0-9]+)?([KMGT]i?B?|B)?$)"));
    if (setting.kind() == SettingKind::duration) {
      out += fmt::format("{}\"pattern\": {},\n", indent, json_quoted(R"(^(0|-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+)$)"));
    }
    if (!size && (setting.kind() == SettingKind::integer || (setting.kind() == SettingKind::real && setting.min_))) {
      out += fmt::format("{}\"minimum\": {},\n", indent, setting.number_text(setting.min_.value_or(setting.type_min_)));
      out += fmt::format("{}\"maximum\": {},\n", indent, setting.number_text(setting.max_.value_or(setting.type_max_)));
    }
    if (!setting.choices_.empty()) out += fmt::format("{}\"enum\": {},\n", indent, json_value(setting.choices_, Unit::none));
    std::string help = setting.help_;
    if (const std::string range = setting.range_text(); !range.empty() && setting.choices_.empty())
      help += " Allowed: " + range + ".";
    if (!setting.secret_) out += fmt::format("{}\"default\": {},\n", indent, json_value(setting.default_, setting.unit_));
    out += fmt::format("{}\"description\": {}", indent, json_quoted(help));
  };
  std::string out =
      fmt::format("{{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"title\": {},\n", json_quoted(title));
  write_schema(out, tree, 1, write);
  return out + "\n}\n";
}

std::string Settings::show() const {
  Tree<Setting> tree;
  for (const Setting& setting : settings_) tree.at(setting.key_).leaf = &setting;
  std::string out;
  write_yaml(out, tree, 0, [](std::string& text, const Setting& setting) {
    text += fmt::format(" {}   # {}\n", setting.secret_ ? "\"(hidden)\"" : json_value(setting.value_, setting.unit_),
                        setting.origin_);
  });
  return out;
}

}  // namespace skerry
