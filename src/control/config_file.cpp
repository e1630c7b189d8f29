// SPDX-License-Identifier: Apache-2.0
#include "control/config_file.hpp"

#include <utility>

namespace skerry::control {

void ConfigFile::read(ClusterConfig content) {
  saved_ = std::exchange(seen_, true) || keeper_ == Keeper::alone;
  in_step_ = in_step_ && content == content_;
  content_ = std::move(content);
  told_ = false;
}

void ConfigFile::unusable() {
  seen_ = true;
  saved_ = in_step_ = false;
  content_.reset();
}

void ConfigFile::entered_office() {
  told_ = false;
  saved_ = saved_ || (keeper_ == Keeper::alone && !in_step_);
}

void ConfigFile::wrote(ClusterConfig content) {
  content_ = std::move(content);
  in_step_ = true;
  saved_ = false;
}

ConfigFile::Step ConfigFile::next(const std::optional<ClusterConfig>& stored, Office office) {
  if (!content_) return {};
  if (!stored && office == Office::out) return {};
  const bool saved = office == Office::in || keeper_ == Keeper::several ? std::exchange(saved_, false) : false;
  if (stored && *stored == *content_) {
    in_step_ = true;
    told_ = false;
    return {};
  }
  if (office == Office::in && (saved || !stored)) {
    if (!stored && std::exchange(told_, true)) return {};   // it was refused, or is on its way
    told_ = true;
    return Take{*content_};
  }
  if (std::exchange(in_step_, false)) return Write{*stored};
  if (std::exchange(told_, true)) return {};
  return Tell{};
}

}  // namespace skerry::control
