// SPDX-License-Identifier: Apache-2.0
#include "control/coordinator_core.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/testing/scripted_cluster.hpp"

namespace skerry::control {
namespace {

// Plays a script: commands, a line "----", what they gave, an empty line.
std::string play(const std::string& text) {
  ScriptedCluster cluster;
  std::istringstream in(text);
  std::string out, block, answers, line;
  bool in_answer = false;
  const auto finish = [&] {
    if (!block.empty()) out += block + "----\n" + answers + "\n";
    block.clear();
    answers.clear();
    in_answer = false;
  };
  while (std::getline(in, line)) {
    if (line == "----") {
      in_answer = true;
    } else if (line.empty()) {
      finish();
    } else if (!in_answer) {
      block += line + "\n";
      if (line[0] != '#') answers += cluster.command(line);
    }
  }
  finish();
  return out;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// UPDATE_EXPECTED=1 rewrites the scripts with what they give now.
TEST(CoordinatorCore, does_what_its_scripts_say) {
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/src/control/testdata")) {
    if (entry.path().extension() != ".txt") continue;
    ++scripts;
    const std::string text = read(entry.path());
    const std::string played = play(text);
    if (std::getenv("UPDATE_EXPECTED") != nullptr) std::ofstream(entry.path()) << played;
    EXPECT_EQ(played, text) << entry.path().filename() << ": run with UPDATE_EXPECTED=1 if this is as it should be";
  }
  EXPECT_GE(scripts, 40);
}

}  // namespace
}  // namespace skerry::control
