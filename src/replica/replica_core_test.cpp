// SPDX-License-Identifier: Apache-2.0
#include "replica/replica_core.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace skerry::replica {
namespace {

// Plays a script: commands, a line "----", what they gave, an empty line. The words are explained in testdata/README.md.
class Script {
 public:
  std::string run(const std::string& text) {
    std::istringstream in(text);
    std::string out, block, line;
    bool in_answer = false;
    const auto finish = [&] {
      if (block.empty()) return;
      out += block + "----\n" + answers_ + "\n";
      block.clear();
      answers_.clear();
    };
    while (std::getline(in, line)) {
      if (line == "----") {
        in_answer = true;
      } else if (line.empty()) {
        finish();
        in_answer = false;
      } else if (!in_answer) {
        block += line + "\n";
        if (line[0] != '#') answers_ += command(line);
      }
    }
    finish();
    return out;
  }

 private:
  std::string command(const std::string& line) {
    std::istringstream in(line);
    std::string verb;
    in >> verb;
    const auto number = [&in] {
      std::int64_t value = 0;
      in >> value;
      return value;
    };
    if (verb == "start") {
      Recovered recovered;
      recovered.term = Term(number());
      recovered.last = Offset(number());
      recovered.applied = Offset(number());
      core_.emplace(Voter(0), recovered);
      return show({});
    }
    if (verb == "lead") {
      const Term term(number());
      std::vector<Voter> voters;
      for (std::uint32_t voter = 0; in >> voter;) voters.emplace_back(voter);
      auto effects = core_->lead(term, voters);
      return effects ? show(*effects) : fmt::format("refused: {}\n", effects.error().message());
    }
    if (verb == "recorded") return show(core_->term_recorded(Term(number())));
    if (verb == "propose") return fmt::format("offset {}\n", core_->propose().value());
    if (verb == "persisted") {
      const Voter voter(static_cast<std::uint32_t>(number()));
      const Term term(number());
      return show(core_->persisted(voter, term, Offset(number())));
    }
    if (verb == "applied") return show(core_->applied(Offset(number())));
    if (verb == "fence") return show(core_->fence(Term(number())));
    return "no such command: " + line + "\n";
  }

  std::string show(const Effects& effects) const {
    constexpr const char* roles[] = {"fenced", "recording", "recovering", "serving"};
    std::string out =
        fmt::format("{} term {} last {} commit {} applied {}", roles[static_cast<int>(core_->role())], core_->term().value(),
                    core_->last().value(), core_->commit().value(), core_->applied().value());
    if (effects.lost_above) out += fmt::format(" | lost above {}", effects.lost_above->value());
    if (effects.record_term) out += fmt::format(" | record term {}", effects.record_term->value());
    if (effects.commit) out += fmt::format(" | apply up to {}", effects.commit->value());
    if (effects.propose_barrier) out += " | propose the barrier";
    if (effects.serving) out += " | serve";
    return out + "\n";
  }

  std::optional<ReplicaCore> core_;
  std::string answers_;
};

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// UPDATE_EXPECTED=1 rewrites the scripts with what they give now.
TEST(ReplicaCore, does_what_its_scripts_say) {
  int scripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/src/replica/testdata")) {
    if (entry.path().extension() != ".txt") continue;
    ++scripts;
    const std::string text = read(entry.path());
    const std::string played = Script().run(text);
    if (std::getenv("UPDATE_EXPECTED") != nullptr) std::ofstream(entry.path()) << played;
    EXPECT_EQ(played, text) << entry.path().filename() << ": run with UPDATE_EXPECTED=1 if this is as it should be";
  }
  EXPECT_GE(scripts, 6);
}

}  // namespace
}  // namespace skerry::replica
