// SPDX-License-Identifier: Apache-2.0
// skerry_replica_sim: runs seeds until one fails, and says how to see it again.
#include "sim/replicas/group_sim.hpp"
#include "sim/replicas/names.hpp"
#include "sim/seed_runs.hpp"

int main(int argc, char** argv) {
  using namespace skerry::sim;
  CLI::App app{"Simulates the replicas of shards, message by message, on clocks, disks and a network that fail"};
  SeedRuns runs(app, "skerry_replica_sim", 300);
  GroupSimOptions options;
  app.add_flag("--coordinator", options.real_coordinator, "With the coordinator's core, instead of a coordinator that is mad");
  app.add_option("--break", options.broken, "A rule of the core to break; the run must then fail")
      ->transform(CLI::CheckedTransformer(rules_by_name()));
  app.add_option("--mistake", options.mistake, "A mistake of the coordinator; the run must then fail")
      ->transform(CLI::CheckedTransformer(mistakes_by_name()));
  app.add_option("--reshape-mistake", options.reshape_mistake,
                 "A mistake with splits and merges, with --coordinator; the run must then fail")
      ->transform(CLI::CheckedTransformer(reshape_mistakes_by_name()));
  CLI11_PARSE(app, argc, argv);
  options.print = runs.print();
  const auto run = [&](std::uint64_t seed) {
    options.seed = seed;
    return GroupSim(options).run();
  };
  const auto describe = [](const GroupSimReport& report) {
    return fmt::format(
        "{} events, {} entries, {} writes, {} reads, {} elections, {} steps of membership, {} crashes, {} shards made of others",
        report.events, report.entries, report.writes, report.reads, report.elections, report.steps, report.crashes,
        report.reshaped);
  };
  return runs.run_all(run, describe, options.real_coordinator ? " --coordinator" : "");
}
