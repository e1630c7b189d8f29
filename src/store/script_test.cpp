// SPDX-License-Identifier: Apache-2.0
// Runs the scripts in testdata/: lines of commands, "----", what they print. They are the specification of one shard, readable by
// whoever knows the protocol. UPDATE_EXPECTED=1 rewrites what they print. Commands are told in testdata/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/testing/script_shard.hpp"

namespace skerry::store {
namespace {

std::vector<std::filesystem::path> scripts() {
  std::vector<std::filesystem::path> found;
  for (const auto& file : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/src/store/testdata"))
    if (file.path().extension() == ".txt") found.push_back(file.path());
  std::sort(found.begin(), found.end());
  return found;
}

// The script with what its commands print today.
std::string run_script(std::istream& script) {
  testing::ScriptShard shard;
  std::string out, line, printed;
  bool in_expected = false;
  while (std::getline(script, line)) {
    if (in_expected) {
      if (!line.empty()) continue;
      in_expected = false;
      out += printed + '\n';
      printed.clear();
    } else if (line == "----") {
      in_expected = true;
      out += line + '\n';
    } else {
      if (!line.empty() && line[0] != '#') printed += shard.command(line);
      out += line + '\n';
    }
  }
  return out + printed;
}

class Script : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Script, prints_what_it_tells) {
  std::stringstream expected;
  expected << std::ifstream(GetParam()).rdbuf();
  const std::string printed = run_script(expected);
  if (std::getenv("UPDATE_EXPECTED")) std::ofstream(GetParam()) << printed;
  EXPECT_EQ(printed, expected.str());
}

INSTANTIATE_TEST_SUITE_P(, Script, ::testing::ValuesIn(scripts()), [](const auto& file) { return file.param.stem().string(); });

}   // namespace
}   // namespace skerry::store
