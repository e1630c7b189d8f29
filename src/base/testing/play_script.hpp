// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace skerry {

// Plays a script on a fresh world: commands, a line "----", what they gave, an empty line. Returns it with what they give now.
template <class World>
std::string play_script(const std::string& text) {
  World world;
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
      if (line[0] != '#') answers += world.command(line);
    }
  }
  finish();
  return out;
}

inline std::string read_script(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}   // namespace skerry
