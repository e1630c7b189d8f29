// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "runtime/applets.hpp"
#include "runtime/core_threads.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace skerry {

struct AppOptions {
  CorePlacement placement;
  Duration busy_wait = Duration::zero();
  std::size_t helper_threads = 2;
  Duration stall_limit = 25ms;        // a longer loop turn is logged with a backtrace
  Duration patience = 10s;            // whose start or stop takes longer is named in the log, each time this has passed again
  std::uint64_t seed = 0;             // of the cores' random numbers; 0: from the operating system
};

// A process: cores on threads and the applets on them. Owned by main, which builds the options (see Settings), adds the applets
// in the order in which they start, and returns what run() returns.
class App {
 public:
  App(AppOptions options, const Clock& clock, LogRegistry& log);   // clock and log must outlive this
  ~App();

  template <Applet T, class... Args>
  void add(std::string name, Args... arguments) {
    applets_.add<T>(std::move(name), std::move(arguments)...);
  }

  // Runs until SIGTERM, SIGINT or stop(): then stops gracefully and returns 0. SIGHUP is passed on to the applets that wait for
  // it. Returns 1 when something could not start, after stopping what had. A second signal to stop ends the process at once with
  // 128 + its number. Call it once, from the main thread.
  int run();
  // From any thread: the same as a SIGTERM.
  void stop();
  // From any core: the process can't go on (a disk that failed). It stops gracefully; run() returns 1.
  void fail(std::string reason);

  Cores& cores() { return cores_; }
  MetricsRegistry& metrics() { return metrics_; }
  Blocking& blocking() { return blocking_; }

 private:
  class Control;
  void wait_for_end();

  AppOptions options_;
  Logger log_;
  std::unique_ptr<class ProcessSignals> signals_;   // before every thread
  Cores cores_;
  HelperThreads blocking_;
  MetricsRegistry metrics_;
  Applets applets_;
  std::unique_ptr<Control> control_;
};

}   // namespace skerry
