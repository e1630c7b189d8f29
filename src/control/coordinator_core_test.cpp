// SPDX-License-Identifier: Apache-2.0
#include "control/coordinator_core.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/testing/play_script.hpp"
#include "control/testing/scripted_cluster.hpp"

namespace skerry::control {
namespace {

// UPDATE_EXPECTED=1 rewrites the scripts with what they give now.
TEST(CoordinatorCore, does_what_its_scripts_say) {
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/src/control/testdata")) {
    if (entry.path().extension() != ".txt") continue;
    ++scripts;
    const std::string text = read_script(entry.path());
    const std::string played = play_script<ScriptedCluster>(text);
    if (std::getenv("UPDATE_EXPECTED") != nullptr) std::ofstream(entry.path()) << played;
    EXPECT_EQ(played, text) << entry.path().filename() << ": run with UPDATE_EXPECTED=1 if this is as it should be";
  }
  EXPECT_GE(scripts, 40);
}

TEST(CoordinatorCore, refuses_a_kept_configuration_that_it_can_not_read) {
  ClusterStatus status{.instance = "reef", .configuration = "servers: [{name: one}]\n"};
  const auto core = CoordinatorCore::take_office({.epoch = 1, .items = status.to_items()}, {}, TimePoint());
  ASSERT_FALSE(core);
  EXPECT_EQ(core.error(), Errc::corrupt);
  EXPECT_NE(core.error().text.find("line 1"), std::string::npos) << core.error().text;
}

}  // namespace
}  // namespace skerry::control
