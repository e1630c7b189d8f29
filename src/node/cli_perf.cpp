// SPDX-License-Identifier: Apache-2.0
#include "node/cli_perf.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "base/limits.hpp"
#include "net/tcp.hpp"
#include "node/cli_number.hpp"
#include "node/cli_perf_run.hpp"
#include "node/cli_session.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::node {
namespace {

constexpr double rate_max = 1e7;

struct PerfFlags : ClientFlags {
  double rate = 100, read_percent = 80;
  std::uint32_t keys = 1000;
  std::int64_t value_bytes = 128;
  std::size_t in_flight = 0;
  std::size_t batch_max = 1000;
  std::string duration = "0", warm_up = "0", interval = "10s", batch_linger = "0", key_prefix = "key-";
  bool histogram = false;
};

struct Settled {
  PerfPlan plan;
  Duration interval{};
  client::ClientOptions client;
};

Result<Settled> settle(const PerfFlags& flags) {
  const auto refuse = [](std::string text) { return fail(Errc::invalid_argument, std::move(text)); };
  Settled settled;
  PerfPlan& plan = settled.plan;
  if (!(flags.rate > 0) || flags.rate > rate_max) {
    return refuse(fmt::format("--rate is {}; expected more than 0 and at most {:.0f} operations a second", flags.rate, rate_max));
  }
  if (!(flags.read_percent >= 0 && flags.read_percent <= 100)) return refuse("--read-write-percent must be from 0 to 100");
  plan.rate = flags.rate;
  plan.read_share = flags.read_percent / 100;
  plan.keys = flags.keys;
  plan.value_bytes = static_cast<std::size_t>(flags.value_bytes);
  plan.key_prefix = flags.key_prefix;
  plan.in_flight = flags.in_flight;
  TRY(plan.duration, parse_duration(flags.duration));
  TRY(plan.warm_up, parse_duration(flags.warm_up));
  TRY(settled.interval, parse_duration(flags.interval));
  TRYV(parse_duration(flags.batch_linger));
  if (settled.interval < 1s) return refuse("--report-interval must be 1s or longer");
  if (plan.duration < Duration::zero() || plan.warm_up < Duration::zero()) return refuse("a duration can't be negative");
  TRY(settled.client, client_options(flags));
  settled.client.batch_operations_max = flags.batch_max;
  return settled;
}

// The whole of it, in the main thread: its core, the client, the load and the reports.
class Perf {
 public:
  Perf(const PerfFlags& flags, Settled settled)
      : flags_(flags), settled_(std::move(settled)), core_(CoreId{0}, clock_, Random::system_seed()), network_(core_),
        reports_(core_), tasks_(core_) {}

  int run() {
    Interrupts interrupts;
    interrupts.watch([this] { core_.post_from_outside([this] { interrupt(); }); });
    tasks_.spawn(measure());
    while (!done_ || tasks_.size() > 0 || reports_.size() > 0) {
      if (!core_.run_turn()) core_.wait(no_deadline);
    }
    clear_progress();
    if (!outcome_) return interrupts.happened() ? exit_ok : report(outcome_.error());
    return finish();
  }

 private:
  void interrupt() {
    stopped_ = true;
    if (run_) run_->stop();
    tasks_.spawn(give_up());
  }

  // Answers that don't come are not waited for for ever.
  Task<> give_up() {
    for (int i = 0; i < 50 && !done_; ++i) co_await core_.sleep_for(100ms);
    if (!done_) ::_exit(exit_unavailable);
  }

  Task<> measure() {
    auto client = client::Client::make(core_, network_, settled_.client);
    if (!client) {
      outcome_ = fail(client.error());
    } else {
      (*client)->start();
      // Connects, so that the first operations are not timed with it.
      const auto probe = co_await (*client)->get(settled_.plan.key_prefix, {.values = client::Values::no});
      if (!probe && probe.error() != client::ClientErrc::key_not_found) outcome_ = fail(probe.error());
      if (outcome_ && !stopped_) co_await load(**client);
      co_await (*client)->stop();
    }
    done_ = true;
  }

  Task<> load(client::Client& client) {
    run_ = std::make_unique<PerfRun>(core_, client, settled_.plan);
    reports_.spawn(tell());
    co_await run_->run();
    co_await reports_.cancel_and_join();
    collect();
    run_.reset();
  }

  void collect() {
    const PerfFigures last = run_->take();
    interval_.add(last);
    total_.add(last);
  }

  Task<> tell() {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    TimePoint next_report = core_.clock().now() + settled_.plan.warm_up + settled_.interval;
    for (;;) {
      co_await core_.sleep_for(std::min<Duration>(1s, std::max<Duration>(next_report - core_.clock().now(), 1ms)));
      collect();
      if (terminal) progress_ = true, fmt::print(stderr, "\r\x1b[K{}", perf_progress(interval_));
      if (core_.clock().now() < next_report) continue;
      next_report += settled_.interval;
      clear_progress();
      print("Stats", "interval", interval_);
      interval_ = {};
    }
  }

  void clear_progress() {
    if (std::exchange(progress_, false)) fmt::print(stderr, "\r\x1b[K");
  }

  void print(std::string_view title, std::string_view kind, const PerfFigures& figures) {
    if (flags_.format == Format::json) {
      out_.line(perf_json(kind, figures));
    } else {
      out_.raw(perf_text(title, figures));
    }
    out_.flush();
  }

  int finish() {
    print(fmt::format("Total of {:.1f} s", std::chrono::duration<double>(total_.elapsed).count()), "total", total_);
    if (flags_.histogram && flags_.format == Format::text) {
      if (total_.writes.count() > 0) out_.raw(perf_histogram("Writes", total_.writes));
      if (total_.reads.count() > 0) out_.raw(perf_histogram("Reads", total_.reads));
    }
    if (total_.failed == 0) return out_.finish(exit_ok);
    fmt::print(stderr, "Error: {} operations failed; the first: {}\n", total_.failed, total_.first_failure->message());
    return out_.finish(exit_status(*total_.first_failure));
  }

  const PerfFlags& flags_;
  Settled settled_;
  SystemClock clock_;
  Core core_;
  net::TcpNetwork network_;
  Result<> outcome_;
  bool done_ = false, stopped_ = false, progress_ = false;
  std::unique_ptr<PerfRun> run_;
  PerfFigures interval_, total_;
  Output out_;
  TaskScope reports_, tasks_;
};

int run_perf(const PerfFlags& flags) {
  auto settled = settle(flags);
  if (!settled) return report(settled.error());
  return Perf(flags, *std::move(settled)).run();
}

}  // namespace

void add_perf_command(CLI::App& app, Command& chosen) {
  CLI::App& perf = *app.add_subcommand("perf", "Put a store under load and measure its answers");
  perf.footer(
      std::string(
          "Operations are due at even intervals and timed from then, so that a stall is felt by all that it delays; with --in-flight\n"
          "the next is sent when one is answered. Reports every --report-interval and at the end; Ctrl-C ends it.\n"
          "The keys KEY-PREFIX0, KEY-PREFIX1, … are overwritten and stay.\n\n"
          "Example:\n  skerry perf --rate 20000 -p 50 --duration 30s --warm-up 5s --histogram\n\n") +
      exit_statuses_text());
  const auto flags = std::make_shared<PerfFlags>();
  add_connection_options(perf, *flags);
  perf.add_option("-n,--namespace", flags->name_space, "The namespace to use")
      ->envname("SKERRY_CLIENT_NAMESPACE")
      ->capture_default_str();
  CLI::Option* rate = perf.add_option("-r,--rate", flags->rate, "Operations a second")->capture_default_str();
  perf.add_option("-p,--read-write-percent", flags->read_percent, "How many of them, in percent, are reads")
      ->capture_default_str();
  perf.add_option("--keys-cardinality", flags->keys, "How many keys")
      ->transform(whole_number<std::uint32_t>(1))
      ->capture_default_str();
  perf.add_option("-s,--value-size,--payload-size", flags->value_bytes, "Bytes of a value")
      ->transform(whole_number<std::int64_t>(0, static_cast<std::int64_t>(limits::value_bytes_max)))
      ->capture_default_str();
  perf.add_option("--key-prefix", flags->key_prefix, "What keys begin with")->capture_default_str();
  perf.add_option("--in-flight", flags->in_flight, "Closed loop: always so many operations on the way, instead of a rate")
      ->excludes(rate)
      ->transform(whole_number<std::uint64_t>());
  perf.add_option("--duration", flags->duration, "How long; 0: until Ctrl-C")->capture_default_str();
  perf.add_option("--warm-up", flags->warm_up, "How long before counting begins")->capture_default_str();
  perf.add_option("--report-interval", flags->interval, "How often to report")->capture_default_str();
  perf.add_option("--max-requests-per-batch", flags->batch_max, "Operations in one message, at most")
      ->transform(whole_number<std::uint64_t>())
      ->capture_default_str();
  perf.add_option("--batch-linger", flags->batch_linger, "Taken for scripts of Oxia's: this client never waits to fill a batch");
  perf.add_flag("--histogram", flags->histogram, "Print the distribution of latencies in the end");
  const auto take_format = [own = flags.get()](const std::string& name) {
    own->format = name == "json" ? Format::json : Format::text;
  };
  perf.add_option_function<std::string>("-o,--output", take_format, "json: one object a line, the last of kind \"total\"")
      ->type_name("text|json")
      ->transform(CLI::IsMember({"text", "json"}, CLI::ignore_case))
      ->option_text("text|json (text)");
  perf.callback([&chosen, flags] { chosen = [flags] { return run_perf(*flags); }; });
}

}  // namespace skerry::node
