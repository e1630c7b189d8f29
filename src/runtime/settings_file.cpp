// SPDX-License-Identifier: Apache-2.0
#include "runtime/settings_file.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <sstream>

#include "base/bytes.hpp"

namespace skerry {
namespace {

constexpr std::size_t list_items_max = 10'000;

std::string_view describe(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: return "a section";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Scalar: return "a single value";
    default: return "nothing";
  }
}

// Hears a document and keeps nothing of it.
class Deaf final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Instead of YAML::LoadAll, which finds documents without end in some broken texts.
bool has_second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Deaf deaf;
  return parser.HandleNextDocument(deaf) && parser.HandleNextDocument(deaf);
}

}  // namespace

std::string SettingsFile::place(const YAML::Node& node) const {
  const YAML::Mark mark = node.Mark();
  return mark.line < 0 ? name_ : fmt::format("{}:{}", name_, mark.line + 1);
}

void SettingsFile::take(const std::string& text) {
  try {
    if (has_second_document(text)) return settings_.mistake(name_, "expected one YAML document, found several");
    const YAML::Node document = YAML::Load(text);
    if (document.IsNull()) return;   // an empty file says nothing
    if (!document.IsMap()) {
      return settings_.mistake(place(document), fmt::format("expected sections and settings, found {}", describe(document)));
    }
    take_section(document, "");
  } catch (const YAML::Exception& error) {
    const std::string where =
        error.mark.line < 0 ? name_ : fmt::format("{}:{}:{}", name_, error.mark.line + 1, error.mark.column + 1);
    settings_.mistake(where, fmt::format("not valid YAML: {}", error.msg));
  }
}

void SettingsFile::take_section(const YAML::Node& section, const std::string& path) {
  std::set<std::string> seen;
  for (const auto& entry : section) {
    const std::string where = place(entry.first);
    if (!entry.first.IsScalar()) {
      settings_.mistake(where, fmt::format("the name of a setting is expected, found {}", describe(entry.first)));
      continue;
    }
    const std::string& name = entry.first.Scalar();
    const std::string key = path.empty() ? name : path + "." + name;
    if (!seen.insert(name).second) {
      settings_.mistake(where, fmt::format("{} is given twice", printable(key)));
    } else if (name.find('.') != std::string::npos) {
      settings_.mistake(where, fmt::format("{}: write sections as nested maps, without dots", printable(key)));
    } else if (Setting* setting = settings_.find(key)) {
      take_value(*setting, entry.second);
    } else if (!settings_.is_section(key)) {
      settings_.mistake(where, fmt::format("{} is no setting of this command{}", printable(key), settings_.nearest(key)));
    } else if (entry.second.IsMap()) {
      take_section(entry.second, key);
    } else if (!entry.second.IsNull()) {
      settings_.mistake(
          where, fmt::format("{} is a section; expected settings in it, found {}", printable(key), describe(entry.second)));
    }
  }
}

void SettingsFile::take_value(Setting& setting, const YAML::Node& value) {
  const std::string where = place(value);
  const auto wrong = [&](std::string_view expected) {
    settings_.mistake(where, fmt::format("{}: expected {}, found {}", setting.key_, expected, describe(value)));
  };
  if (setting.kind() == SettingKind::list && value.IsSequence()) {
    std::vector<std::string> items;
    for (const auto& item : value) {
      if (!item.IsScalar() || items.size() == list_items_max) {
        return settings_.mistake(where,
                                 fmt::format("{}: expected a list of at most {} single values", setting.key_, list_items_max));
      }
      items.push_back(item.Scalar());
    }
    return settings_.take(setting, SettingValue(std::move(items)), where, where);
  }
  if (!value.IsScalar()) return wrong(setting.kind() == SettingKind::list ? "a list" : "a single value");
  settings_.take(setting, parse_setting(setting.kind(), setting.unit_, value.Scalar()), where, where);
}

}  // namespace skerry
