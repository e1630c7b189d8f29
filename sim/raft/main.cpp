// SPDX-License-Identifier: Apache-2.0
// skerry_raft_sim: runs seeds until one fails, and says how to see it again.
#include "sim/raft/names.hpp"
#include "sim/raft/raft_sim.hpp"
#include "sim/seed_runs.hpp"

int main(int argc, char** argv) {
  using namespace skerry::sim;
  CLI::App app{"Simulates coordinators that agree, message by message, on clocks, disks and a network that fail"};
  SeedRuns runs(app, "skerry_raft_sim", 300);
  RaftSimOptions options;
  app.add_option("--break", options.broken, "A rule of the core to break; the run must then fail")
      ->transform(CLI::CheckedTransformer(raft_rules_by_name()));
  CLI11_PARSE(app, argc, argv);
  options.print = runs.print();
  const auto run = [&](std::uint64_t seed) {
    options.seed = seed;
    return RaftSim(options).run();
  };
  return runs.run_all(run, [](const RaftSimReport& report) {
    return fmt::format("{} events, {} entries, {} writes, {} reads, {} leaders, {} crashes", report.events, report.entries,
                       report.writes, report.reads, report.terms, report.crashes);
  });
}
