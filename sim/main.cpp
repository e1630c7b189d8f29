// SPDX-License-Identifier: Apache-2.0
// skerry_sim: runs seeds until one fails, and says how to see it again.
#include <map>

#include "sim/seed_runs.hpp"
#include "sim/store_sim.hpp"

int main(int argc, char** argv) {
  using namespace skerry::sim;
  CLI::App app{"Simulates the store on a fake clock and a disk that forgets"};
  SeedRuns runs(app, "skerry_sim", 300);
  StoreSimOptions options;
  const std::map<std::string, Planted> bugs{
      {"none", Planted::nothing}, {"early-answer", Planted::early_answer}, {"unsynced-names", Planted::unsynced_names}};
  app.add_option("--planted", options.planted, "A bug to plant; the run must then fail")
      ->transform(CLI::CheckedTransformer(bugs));
  CLI11_PARSE(app, argc, argv);
  options.print = runs.print();
  const auto run = [&](std::uint64_t seed) {
    options.seed = seed;
    return StoreSim(options).run();
  };
  return runs.run_all(run, [](const StoreSimReport& report) {
    return fmt::format(
        "{} operations, {} answered, {} retried, {} reads, {} notifications, {} sessions expired, {} crashes, {} log stops",
        report.operations, report.answered, report.retries, report.reads, report.notifications, report.sessions_expired,
        report.crashes, report.log_stops);
  });
}
