// SPDX-License-Identifier: Apache-2.0
#include "runtime/app.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/this_coro.hpp>
#include <cstdlib>

#include "base/assert.hpp"
#include "runtime/event.hpp"
#include "runtime/process_metrics.hpp"
#include "runtime/signals.hpp"
#include "runtime/stall_detector.hpp"
#include "runtime/task_scope.hpp"

namespace skerry {
namespace {

// A connection, and a file of the store, is one each; what the system allows at most is there to be used.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);   // what can't be had is left as it is
}

}  // namespace

// Starts and stops the applets from core 0, and tells the main thread when it is over.
class App::Control {
 public:
  Control(App& app, Core& core) : app_(app), core_(core), stop_wanted_(core), over_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    SKERRY_ASSERT(over_ >= 0);
  }
  ~Control() { ::close(over_); }

  // From any thread.
  void begin() {
    core_.post_from_outside([this] { tasks_.spawn(live()); });
  }
  void ask_to_stop(int exit_code = 0) {
    int expected = 0;
    if (exit_code != 0) exit_code_.compare_exchange_strong(expected, exit_code);
    core_.post_from_outside([this] {
      stop_wanted_.set();
      if (starting_) start_scope_.cancel(*starting_);
    });
  }
  void hang_up() {
    core_.post_from_outside([this] {
      if (!ending_) hang_ups_.spawn(app_.applets_.hang_up());
    });
  }
  int over_descriptor() const { return over_; }
  bool over() const { return ended_.load(); }
  int exit_code() const { return exit_code_.load(); }

 private:
  Task<> live() {
    if (!stop_wanted_.is_set()) starting_ = start_scope_.spawn_with_handle(start());
    co_await start_scope_.join();
    starting_.reset();
    if (running_) {
      co_await stop_wanted_.wait();
      co_await app_.applets_.stop();
    }
    ending_ = true;
    co_await hang_ups_.join();
    ended_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(over_, &one, sizeof one);
  }

  Task<> start() {
    const Result<> outcome = co_await app_.applets_.start();
    running_ = outcome.has_value();
    if (!outcome && outcome.error().code != Errc::cancelled) {
      app_.log_.error("could not start", {{"reason", outcome.error()}});
      exit_code_.store(1);
    }
    starting_.reset();
  }

  App& app_;
  Core& core_;
  Event stop_wanted_;
  TaskScope start_scope_{core_}, hang_ups_{core_}, tasks_{core_};
  std::optional<TaskScope::Handle> starting_;
  bool running_ = false, ending_ = false;
  std::atomic<int> exit_code_ = 0;
  std::atomic<bool> ended_ = false;
  const int over_;
};

App::App(AppOptions options, const Clock& clock, LogRegistry& log)
    : options_(std::move(options)), log_(log.logger("app")), signals_(std::make_unique<ProcessSignals>()),
      cores_(options_.placement.count, clock, options_.seed != 0 ? options_.seed : Random::system_seed()),
      blocking_(options_.helper_threads), metrics_(cores_.size()), applets_(AppletServices{cores_, blocking_, log, metrics_}),
      control_(std::make_unique<Control>(*this, cores_.core(CoreId{0}))) {}

App::~App() = default;

void App::stop() { control_->ask_to_stop(); }

void App::fail(std::string reason) {
  log_.error("the process can't go on", {{"reason", reason}});
  control_->ask_to_stop(1);
}

int App::run() {
  raise_descriptor_limit();
  CoreThreads threads(cores_, {options_.placement, options_.busy_wait, options_.stall_limit});
  ProcessMetrics figures(metrics_, cores_, threads);
  const StallDetector stalls(threads, options_.stall_limit, log_);
  if (const auto started = threads.start(); !started) {
    log_.error("could not start", {{"reason", started.error()}});
    return 1;
  }
  control_->begin();
  wait_for_end();
  threads.stop();
  log_.info("stopped");
  return control_->exit_code();
}

void App::wait_for_end() {
  bool told = false;
  while (!control_->over()) {
    pollfd watched[] = {{signals_->descriptor(), POLLIN, 0}, {control_->over_descriptor(), POLLIN, 0}};
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(options_.patience).count();
    if (::poll(watched, 2, static_cast<int>(patience)) == 0) {
      if (const std::string busy = applets_.busy_with(); !busy.empty()) log_.warn("still waiting", {{"for", busy}});
    }
    const auto signal = signals_->take();
    if (!signal) continue;
    if (*signal == SIGHUP) {
      log_.info("looking at the files again", {{"signal", *signal}});
      control_->hang_up();
      continue;
    }
    if (told) ::_exit(128 + *signal);   // the user's second wish: now
    told = true;
    log_.info("stopping", {{"signal", *signal}});
    control_->ask_to_stop();
  }
}

}  // namespace skerry
