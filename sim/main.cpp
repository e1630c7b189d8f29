// SPDX-License-Identifier: Apache-2.0
// skerry_sim: runs seeds until one fails, and says how to see it again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "sim/store_sim.hpp"

namespace {

using namespace skerry::sim;

struct Arguments {
  std::uint64_t first = 1, count = 300;
  StoreSimOptions options;
  bool twice = false;
};

bool run_seed(const Arguments& arguments, std::uint64_t seed) {
  StoreSimOptions options = arguments.options;
  options.seed = seed;
  const StoreSimReport report = StoreSim(options).run();
  fmt::print(
      "seed {}: {} operations, {} answered, {} retried, {} reads, {} notifications, {} sessions expired, {} crashes, "
      "{} log stops, trace {:016x}\n",
      seed, report.operations, report.answered, report.retries, report.reads, report.notifications, report.sessions_expired,
      report.crashes, report.log_stops, report.trace_hash);
  if (!report.failure.empty()) {
    fmt::print("seed {} FAILED: {}\nsee it again: skerry_sim --seed {} --seeds 1 --trace\n", seed, report.failure, seed);
    return false;
  }
  if (arguments.twice && StoreSim(options).run().trace_hash != report.trace_hash) {
    fmt::print("seed {} FAILED: the second run went another way\n", seed);
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Simulates the store on a fake clock and a disk that forgets"};
  Arguments arguments;
  const std::map<std::string, Planted> bugs{
      {"none", Planted::nothing}, {"early-answer", Planted::early_answer}, {"unsynced-names", Planted::unsynced_names}};
  bool trace = false;
  app.add_option("--seed", arguments.first, "The first seed")->capture_default_str();
  app.add_option("--seeds", arguments.count, "How many seeds to run")->capture_default_str();
  app.add_flag("--trace", trace, "Print everything that happens");
  app.add_flag("--twice", arguments.twice, "Run each seed twice: both must do exactly the same");
  app.add_option("--planted", arguments.options.planted, "A bug to plant; the run must then fail")
      ->transform(CLI::CheckedTransformer(bugs));
  CLI11_PARSE(app, argc, argv);
  if (trace) arguments.options.print = Trace::Print::yes;
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.count; ++seed) {
    if (!run_seed(arguments, seed)) return 1;
  }
  return 0;
}
