// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_up.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <deque>

#include "net/tcp.hpp"
#include "node/cli_cluster_control.hpp"
#include "node/cli_cluster_local.hpp"
#include "node/cli_cluster_output.hpp"
#include "node/cli_command.hpp"
#include "node/cli_session.hpp"
#include "node/cli_top_cluster.hpp"
#include "node/cli_top_cluster_view.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

namespace v1 = control::v1;

constexpr Duration look_interval = 300ms;
constexpr auto cluster_patience = 2s;    // with the coordinator
constexpr auto ready_patience = 120s;   // with --once
constexpr std::size_t news_max = 8;     // lines of what has happened, on a terminal

class ClusterUp {
 public:
  ClusterUp(ClusterPlan plan, bool once)
      : once_(once), core_(CoreId{0}, clock_, Random::system_seed()), network_(core_),
        cluster_(core_, network_, std::move(plan), std::bind_front(&ClusterUp::say, this)),
        control_(core_, network_, cluster_.plan().control_file(), std::bind_front(&LocalCluster::carry_out, &cluster_)),
        tasks_(core_), ends_(core_) {}

  int run() {
    Interrupts interrupts;
    interrupts.watch([this] { core_.post_from_outside([this] { end(); }); });
    tasks_.spawn(serve());
    while (tasks_.size() > 0 || ends_.size() > 0) {
      if (!core_.run_turn()) core_.wait(no_deadline);
    }
    return outcome_ ? out_.finish(exit_ok) : out_.finish(report(outcome_.error()));
  }

 private:
  void end() {
    if (ends_.size() == 0) ends_.spawn(stop());
  }
  Task<> stop() {
    co_await tasks_.cancel_and_join();
    if (channel_) say("Stopping");
    co_await control_.stop();
    if (channel_) co_await channel_->stop();
    co_await cluster_.stop();
    if (channel_) say("Stopped");
  }

  Task<> serve() {
    outcome_ = co_await run_cluster();
    end();
  }

  // Until it is cancelled; fails when the cluster does not come up.
  Task<Result<>> run_cluster() {
    CO_TRYV(cluster_.start());
    CO_TRYV(control_.start());
    channel_ = rpc::Channel::make(core_, network_, cluster_.plan().coordinator().public_address, {.backoff_max = 200ms});
    say(fmt::format("Starting {} nodes and a coordinator; their logs are in {}", cluster_.plan().options.nodes,
                    cluster_.plan().options.folder));
    const TimePoint started = core_.now();
    for (;;) {
      const std::string ended = cluster_.look();
      co_await look();
      if (!ended.empty() && !ready_) co_return fail(Errc::internal, "the cluster did not come up: " + ended);
      if (ready_ && once_) co_return Result<>{};
      if (once_ && core_.now() - started > ready_patience) co_return fail(Errc::unavailable, "some shards still have no leader");
      show();
      co_await core_.sleep_for(look_interval);
    }
  }

  Task<> look() {
    v1::Cluster seen;
    const auto status = co_await channel_->unary("/skerry.control.v1.Admin/GetCluster", v1::GetClusterRequest(), seen,
                                                 {.deadline = core_.now() + cluster_patience});
    if (status.ok() != answers_ && ready_) say(status.ok() ? "the coordinator answers" : "the coordinator does not answer");
    answers_ = status.ok();
    if (!answers_) co_return;
    for (const std::string& change : cluster_changes(now_, seen)) say(change);
    before_ = std::exchange(now_, std::move(seen));
    before_at_ = std::exchange(now_at_, core_.now());
    if (!ready_ && all_led(now_)) tell_ready();
  }

  void tell_ready() {
    ready_ = true;
    const ClusterPlan& plan = cluster_.plan();
    say("Ready: every shard has a leader");
    if (on_terminal()) return;   // the rest stands above
    say(fmt::format("  skerry client -a {} put /a 1", plan.members[1].public_address.text()));
    say(fmt::format("  skerry admin -a {} cluster status", plan.coordinator().public_address.text()));
  }

  static bool on_terminal() { return ::isatty(STDOUT_FILENO) == 1; }

  // Line by line, or among the last ones of the picture.
  void say(const std::string& text) {
    const std::time_t now = std::chrono::floor<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
    std::tm local{};
    ::localtime_r(&now, &local);
    news_.push_back(fmt::format("{:%H:%M:%S} {}", local, text));
    if (news_.size() > news_max) news_.pop_front();
    if (on_terminal() && !once_) return show();
    out_.line(news_.back());
    out_.flush();
  }

  void show() {
    if (!on_terminal() || once_) return;
    const ClusterPlan& plan = cluster_.plan();
    std::vector<std::vector<std::string>> rows{{"MEMBER", "PROCESS", "CLIENTS"}};
    for (const ClusterPlan::Member& each : plan.members) {
      rows.push_back({each.name, cluster_.state_of(each.number), each.public_address.text()});
    }
    std::string text = "\x1b[H\x1b[2J" + table_text(rows) + "\n";
    const std::size_t used = plan.members.size() + 2 + news_.size() + 4;
    const std::size_t lines = terminal_lines();
    if (before_at_ > TimePoint()) {
      text += cluster_top_text({before_, now_, std::max<Duration>(now_at_ - before_at_, 1ms)}, lines > used ? lines - used : 0) +
              "\n";
    }
    for (const std::string& line : news_) text += line + "\n";
    text += fmt::format("`skerry cluster kill|pause|restart|partition|heal N --dir {}` makes trouble; Ctrl-C stops all.\n",
                        plan.options.folder);
    out_.raw(text);
    out_.flush();
  }

  const bool once_;
  SystemClock clock_;
  Core core_;
  net::TcpNetwork network_;
  Output out_;
  Result<> outcome_;
  std::deque<std::string> news_;
  v1::Cluster before_, now_;
  TimePoint before_at_, now_at_;
  bool ready_ = false, answers_ = false;
  LocalCluster cluster_;
  ControlServer control_;
  std::unique_ptr<rpc::Channel> channel_;
  TaskScope tasks_, ends_;
};

}  // namespace

int run_cluster_up(const ClusterUpOptions& options, bool once) {
  auto plan = ClusterPlan::make(options);
  if (!plan) return report(plan.error());
  return ClusterUp(*std::move(plan), once).run();
}

}  // namespace skerry::node
