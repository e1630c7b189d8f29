// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "sim/trace.hpp"

namespace skerry::sim {

// What the command lines of all simulators have in common: which seeds are run, how much is said of them, and what counts as
// failed.
class SeedRuns {
 public:
  // Adds its options. `name` is the program's.
  SeedRuns(CLI::App& app, std::string name, std::uint64_t count) : name_(std::move(name)), count_(count) {
    app.add_option("--seed", first_, "The first seed")->capture_default_str();
    app.add_option("--seeds", count_, "How many seeds to run")->capture_default_str();
    app.add_flag("--trace", trace_, "Print everything that happens");
    app.add_flag("--twice", twice_, "Run each seed twice: both must do exactly the same");
    app.add_flag("--quiet", quiet_, "Print only what fails");
    app.add_flag("--keep-going", keep_going_, "Run the other seeds, too, when one fails");
  }

  Trace::Print print() const { return trace_ ? Trace::Print::yes : Trace::Print::no; }

  // `run` makes the report of a seed, `describe` says what was in it, `flags` are what else it takes to see it again. Returns the
  // program's exit status.
  template <class Run, class Describe>
  int run_all(Run run, Describe describe, const std::string& flags = "") const {
    std::uint64_t failed = 0;
    for (std::uint64_t seed = first_; seed < first_ + count_; ++seed) {
      if (run_one(seed, run, describe, flags)) continue;
      ++failed;
      if (!keep_going_) break;
    }
    if (!quiet_ || failed > 0) fmt::print("{} seeds, {} failed\n", count_, failed);
    return failed == 0 ? 0 : 1;
  }

 private:
  template <class Run, class Describe>
  bool run_one(std::uint64_t seed, Run& run, Describe& describe, const std::string& flags) const {
    const auto report = run(seed);
    if (!quiet_ || !report.failure.empty()) {
      fmt::print("seed {}: {}, trace {:016x}\n", seed, describe(report), report.trace_hash);
    }
    if (!report.failure.empty()) {
      fmt::print("seed {} FAILED: {}\nsee it again: {} --seed {} --seeds 1 --trace{}\n", seed, report.failure, name_, seed,
                 flags);
      return false;
    }
    if (twice_ && run(seed).trace_hash != report.trace_hash) {
      fmt::print("seed {} FAILED: the second run went another way\n", seed);
      return false;
    }
    return true;
  }

  const std::string name_;
  std::uint64_t first_ = 1, count_;
  bool trace_ = false, twice_ = false, quiet_ = false, keep_going_ = false;
};

}   // namespace skerry::sim
