// SPDX-License-Identifier: Apache-2.0
// skerry_cluster_sim: runs seeds until one fails, and says how to see it again.
#include <map>

#include "sim/cluster/cluster_sim.hpp"
#include "sim/seed_runs.hpp"

int main(int argc, char** argv) {
  using namespace skerry::sim;
  CLI::App app{"Simulates whole clusters of the real code on a fake clock, network and disks"};
  SeedRuns runs(app, "skerry_cluster_sim", 100);
  ClusterSimOptions options;
  std::size_t nodes = 0;
  const std::map<std::string, ClusterMistake> mistakes{{"none", ClusterMistake::nothing},
                                                       {"unsynced-writes", ClusterMistake::unsynced_writes},
                                                       {"stale-reads", ClusterMistake::stale_reads},
                                                       {"untold-changes", ClusterMistake::untold_changes},
                                                       {"untold-sessions", ClusterMistake::untold_sessions},
                                                       {"forgotten-damage", ClusterMistake::forgotten_damage}};
  app.add_option("--nodes", nodes, "How many servers; 0: 3, 5 or 7 by the seed")->capture_default_str();
  app.add_option("--mistake", options.mistake, "A mistake to make; the run must then fail")
      ->transform(CLI::CheckedTransformer(mistakes));
  CLI11_PARSE(app, argc, argv);
  options.print = runs.print();
  const auto run = [&](std::uint64_t seed) {
    options.seed = seed;
    options.nodes = nodes > 0 ? nodes : 3 + 2 * (seed % 3);
    return ClusterSim(options).run();
  };
  return runs.run_all(run, [&](const ClusterSimReport& report) {
    return fmt::format(
        "{} nodes, {} puts, {} refused, {} in doubt, {} gets, {} faults, term {}, {} shards and {} reshapes, {} damages, {} repaired, {} ephemeral puts, {} "
        "sessions lost, {} changes, {} gaps",
        options.nodes, report.puts, report.refused, report.unknown, report.gets, report.faults, report.terms, report.shards,
        report.reshapes, report.damages, report.repairs, report.ephemerals, report.sessions_lost, report.changes, report.gaps);
  });
}
