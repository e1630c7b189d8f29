// SPDX-License-Identifier: Apache-2.0
#include "control/config_file.hpp"

#include <algorithm>
#include <utility>

#include "base/hash.hpp"

namespace skerry::control {

void ConfigFile::read(ClusterConfig content) {
  untouched_ = !seen_;
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

bool ConfigFile::follows(const Stored& stored) const {
  return in_step_ || (untouched_ && std::ranges::count(stored.former, fingerprint(content_->to_yaml())) > 0);
}

ConfigFile::Step ConfigFile::next(const std::optional<Stored>& stored, Office office) {
  if (!content_) return {};
  if (!stored && office == Office::out) return {};
  const bool saved = office == Office::in || keeper_ == Keeper::several ? std::exchange(saved_, false) : false;
  if (stored && stored->config == *content_) {
    in_step_ = true;
    told_ = false;
    return {};
  }
  if (office == Office::in && (saved || !stored)) {
    if (!stored && std::exchange(told_, true)) return {};   // it was refused, or is on its way
    told_ = true;
    return Take{*content_};
  }
  if (follows(*stored)) {
    in_step_ = untouched_ = false;
    return Write{stored->config};
  }
  if (std::exchange(told_, true)) return {};
  return Tell{};
}

}  // namespace skerry::control
