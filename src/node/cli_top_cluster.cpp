// SPDX-License-Identifier: Apache-2.0
#include "node/cli_top_cluster.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "node/cli_call.hpp"
#include "node/cli_command.hpp"
#include "node/cli_session.hpp"
#include "node/cli_top_cluster_view.hpp"
#include "runtime/clock.hpp"

namespace skerry::node {
namespace {

namespace v1 = control::v1;

constexpr std::size_t lines_guessed = 24;

struct Look {
  v1::Cluster cluster;
  TimePoint at;
};

Result<Look> look_at(const ClusterTopFlags& flags, const Clock& clock) {
  Look look;
  TRYV(ask_server(flags, "/skerry.control.v1.Admin/GetCluster", v1::GetClusterRequest(), look.cluster));
  look.at = clock.now();
  return look;
}

// A pause that ends early when somebody wants out.
class Pause {
 public:
  void end() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    ended_.notify_all();
  }
  bool wait(Duration time) {   // false: it was ended
    std::unique_lock lock(mutex_);
    return !ended_.wait_for(lock, time, [this] { return over_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
};

void print(const ClusterTopFlags& flags, const ClusterLooks& looks, Output& out) {
  if (flags.json) {
    out.line(cluster_top_json(looks));
  } else {
    const bool repaint = !flags.once && ::isatty(STDOUT_FILENO) == 1;
    if (repaint) out.raw("\x1b[H\x1b[2J");
    out.raw(cluster_top_text(looks, repaint ? terminal_lines() : lines_without_terminal));
    if (!flags.once && !repaint) out.raw("\n");
  }
  out.flush();
}

Result<> show_all(const ClusterTopFlags& flags, Pause& pause, Output& out) {
  const SystemClock clock;
  TRY(Look before, look_at(flags, clock));
  while (pause.wait(flags.interval)) {
    TRY(Look after, look_at(flags, clock));
    print(flags, {before.cluster, after.cluster, std::max<Duration>(after.at - before.at, 1ms)}, out);
    if (flags.once || out.failed()) break;
    before = std::move(after);
  }
  return {};
}

}  // namespace

std::size_t terminal_lines() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : lines_guessed;
}

int run_cluster_top(const ClusterTopFlags& flags) {
  Pause pause;
  Interrupts interrupts;
  interrupts.watch([&pause] { pause.end(); });
  Output out;
  const auto outcome = show_all(flags, pause, out);
  return outcome || interrupts.happened() ? out.finish(exit_ok) : out.finish(report(outcome.error()));
}

}  // namespace skerry::node
