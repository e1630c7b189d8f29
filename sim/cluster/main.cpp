// SPDX-License-Identifier: Apache-2.0
// skerry_cluster_sim: runs seeds until one fails, and says how to see it again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "sim/cluster/cluster_sim.hpp"

namespace {

using namespace skerry::sim;

struct Arguments {
  std::uint64_t first = 1, count = 100;
  ClusterSimOptions options;
  bool twice = false, quiet = false;
};

ClusterSimOptions options_of(const Arguments& arguments, std::uint64_t seed) {
  ClusterSimOptions options = arguments.options;
  options.seed = seed;
  if (options.nodes == 0) options.nodes = 3 + 2 * (seed % 3);   // 3, 5 or 7
  return options;
}

bool run_seed(const Arguments& arguments, std::uint64_t seed) {
  const ClusterSimOptions options = options_of(arguments, seed);
  const ClusterSimReport report = ClusterSim(options).run();
  if (!arguments.quiet || !report.failure.empty()) {
    fmt::print(
        "seed {}: {} nodes, {} puts, {} refused, {} in doubt, {} gets, {} faults, term {}, {} shards and {} reshapes, {} ephemeral "
        "puts, {} sessions lost, {} changes, {} gaps, trace {:016x}\n",
        seed, options.nodes, report.puts, report.refused, report.unknown, report.gets, report.faults, report.terms, report.shards,
        report.reshapes, report.ephemerals, report.sessions_lost, report.changes, report.gaps, report.trace_hash);
  }
  if (!report.failure.empty()) {
    fmt::print("seed {} FAILED: {}\nsee it again: skerry_cluster_sim --seed {} --seeds 1 --trace\n", seed, report.failure, seed);
    return false;
  }
  if (arguments.twice && ClusterSim(options).run().trace_hash != report.trace_hash) {
    fmt::print("seed {} FAILED: the second run went another way\n", seed);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Simulates whole clusters of the real code on a fake clock, network and disks"};
  Arguments arguments;
  arguments.options.nodes = 0;
  const std::map<std::string, ClusterMistake> mistakes{{"none", ClusterMistake::nothing},
                                                       {"unsynced-writes", ClusterMistake::unsynced_writes},
                                                       {"stale-reads", ClusterMistake::stale_reads},
                                                       {"untold-changes", ClusterMistake::untold_changes},
                                                       {"untold-sessions", ClusterMistake::untold_sessions}};
  bool trace = false, keep_going = false;
  app.add_option("--seed", arguments.first, "The first seed")->capture_default_str();
  app.add_option("--seeds", arguments.count, "How many seeds to run")->capture_default_str();
  app.add_option("--nodes", arguments.options.nodes, "How many servers; 0: 3, 5 or 7 by the seed")->capture_default_str();
  app.add_flag("--trace", trace, "Print everything that happens");
  app.add_flag("--twice", arguments.twice, "Run each seed twice: both must do exactly the same");
  app.add_flag("--quiet", arguments.quiet, "Print only what fails");
  app.add_flag("--keep-going", keep_going, "Run the other seeds, too, when one fails");
  app.add_option("--mistake", arguments.options.mistake, "A mistake to make; the run must then fail")
      ->transform(CLI::CheckedTransformer(mistakes));
  CLI11_PARSE(app, argc, argv);
  if (trace) arguments.options.print = Trace::Print::yes;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.count; ++seed) {
    if (run_seed(arguments, seed)) continue;
    if (!keep_going) return 1;
    ++failed;
  }
  fmt::print("{} seeds, {} failed\n", arguments.count, failed);
  return failed == 0 ? 0 : 1;
}
