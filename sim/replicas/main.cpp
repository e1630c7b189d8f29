// SPDX-License-Identifier: Apache-2.0
// skerry_replica_sim: runs seeds until one fails, and says how to see it again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "sim/replicas/group_sim.hpp"
#include "sim/replicas/names.hpp"

namespace {

using namespace skerry::sim;

struct Arguments {
  std::uint64_t first = 1, count = 300;
  GroupSimOptions options;
  bool twice = false, quiet = false;
};

bool run_seed(const Arguments& arguments, std::uint64_t seed) {
  GroupSimOptions options = arguments.options;
  options.seed = seed;
  const GroupSimReport report = GroupSim(options).run();
  if (!arguments.quiet || !report.failure.empty()) {
    fmt::print(
        "seed {}: {} events, {} entries, {} writes, {} reads, {} elections, {} steps of membership, {} crashes, {} shards made of others, trace {:016x}\n",
        seed, report.events, report.entries, report.writes, report.reads, report.elections, report.steps, report.crashes,
        report.reshaped, report.trace_hash);
  }
  if (!report.failure.empty()) {
    fmt::print("seed {} FAILED: {}\nsee it again: skerry_replica_sim --seed {} --seeds 1 --trace{}\n", seed, report.failure, seed,
               options.real_coordinator ? " --coordinator" : "");
    return false;
  }
  if (arguments.twice && GroupSim(options).run().trace_hash != report.trace_hash) {
    fmt::print("seed {} FAILED: the second run went another way\n", seed);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Simulates the replicas of shards, message by message, on clocks, disks and a network that fail"};
  Arguments arguments;
  app.add_option("--seed", arguments.first, "The first seed")->capture_default_str();
  app.add_option("--seeds", arguments.count, "How many seeds to run")->capture_default_str();
  app.add_flag("--coordinator", arguments.options.real_coordinator,
               "With the coordinator's core, instead of a coordinator that is mad");
  app.add_flag("--trace", arguments.options.print, "Print everything that happens");
  app.add_flag("--twice", arguments.twice, "Run each seed twice: both must do exactly the same");
  app.add_flag("--quiet", arguments.quiet, "Print only what fails");
  app.add_option("--break", arguments.options.broken, "A rule of the core to break; the run must then fail")
      ->transform(CLI::CheckedTransformer(rules_by_name()));
  app.add_option("--mistake", arguments.options.mistake, "A mistake of the coordinator; the run must then fail")
      ->transform(CLI::CheckedTransformer(mistakes_by_name()));
  app.add_option("--reshape-mistake", arguments.options.reshape_mistake,
                 "A mistake with splits and merges, with --coordinator; the run must then fail")
      ->transform(CLI::CheckedTransformer(reshape_mistakes_by_name()));
  CLI11_PARSE(app, argc, argv);
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.count; ++seed) {
    if (!run_seed(arguments, seed)) return 1;
  }
  return 0;
}
