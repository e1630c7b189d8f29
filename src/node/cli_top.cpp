// SPDX-License-Identifier: Apache-2.0
#include "node/cli_top.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "client/error.hpp"
#include "net/tcp.hpp"
#include "node/cli_session.hpp"
#include "node/cli_top_cluster.hpp"
#include "node/cli_top_view.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "runtime/setting_value.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {
namespace {

constexpr auto metrics_patience = 5s;
constexpr const char* coordinator_patience = "5s";
constexpr std::size_t answer_bytes_max = 64 << 20;
constexpr std::size_t refusal_bytes_max = 1'000;

struct TopFlags : ConnectionFlags {
  TopFlags() { address = "localhost:8080"; }
  std::string interval = "2s";
  Format format = Format::text;
  bool once = false;
  std::string coordinator;   // shows a cluster, not a process
};

Error no_metrics(const net::Address& address, std::string_view what) {
  return {Errc::unavailable,
          fmt::format("{}: {}; --metrics-addr of `skerry standalone` says where its metrics are", address.text(), what)};
}

// In the server's own words, as far as the first line goes.
Error refused(const net::Address& address, std::string_view status, std::string_view body) {
  const std::string why(body.substr(0, std::min(body.find_first_of("\r\n"), refusal_bytes_max)));
  if (status == "401" || status == "403") {
    return {client::ClientErrc::not_authorized, fmt::format("{}: {}", address.text(), why.empty() ? "not allowed" : why)};
  }
  return no_metrics(address, fmt::format("GET /metrics was answered with status {}{}{}", status, why.empty() ? "" : ", ", why));
}

Task<Result<std::string>> read_to_end(net::Stream& stream) {
  std::string all;
  std::vector<char> buffer(64 << 10);
  while (all.size() < answer_bytes_max) {
    CO_TRY(const std::size_t count, co_await stream.read_some(buffer));
    if (count == 0) co_return all;
    all.append(buffer.data(), count);
  }
  co_return fail(Errc::resource_exhausted, "the answer is larger than 64 MiB");
}

Task<Result<std::string>> exchange_page(net::Stream& stream, std::string request) {
  const BytesView piece = request;
  CO_TRYV(co_await stream.write({&piece, 1}));
  co_return co_await read_to_end(stream);
}

// The body of an answer to GET /metrics in the words of HTTP/1.0: it ends when the connection does.
Result<std::string> body_of(const net::Address& address, std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.") || end == std::string_view::npos)
    return fail(no_metrics(address, "what answers is no HTTP server"));
  const std::string_view status = answer.substr(9, 3), body = answer.substr(end + 4);
  if (status != "200") return fail(refused(address, status, body));
  return std::string(body);
}

// What all of it needs, of the flags.
struct Place {
  net::Address address;
  std::optional<net::TlsOptions> tls;
  std::string token;
};
Result<Place> place_of(const TopFlags& flags) {
  Place place;
  TRY(place.tls, tls_of(flags));
  TRY(place.token, token_of(flags));
  std::string_view text = flags.address;
  if (const std::size_t scheme = text.find("://");
      scheme != std::string_view::npos) {   // people paste what they open in a browser
    const std::string_view name = text.substr(0, scheme);
    if (name != "http" && !place.tls) place.tls.emplace();
    text.remove_prefix(scheme + 3);
    text = text.substr(0, text.find('/'));
  }
  if (place.tls) place.tls->alpn = {"http/1.1"};
  TRY(place.address, net::Address::parse(text));
  return place;
}

class Top {
 public:
  Top(const TopFlags& flags, Place place, Duration interval)
      : flags_(flags), place_(std::move(place)), address_(place_.address), interval_(interval),
        core_(CoreId{0}, clock_, Random::system_seed()), plain_(core_), tasks_(core_), stops_(core_) {}

  int run() {
    auto secure = secure_network(core_, plain_, place_.tls);
    if (!secure) return report(secure.error());
    secure_ = *std::move(secure);
    Interrupts interrupts;
    interrupts.watch([this] { core_.post_from_outside([this] { stops_.spawn(stop()); }); });
    tasks_.spawn(show());
    while (tasks_.size() > 0 || stops_.size() > 0) {
      if (!core_.run_turn()) core_.wait(no_deadline);
    }
    if (interrupts.happened() || cluster_at_) return out_.finish(exit_ok);
    return outcome_ ? out_.finish(exit_ok) : out_.finish(report(outcome_.error()));
  }

  // What answers is a coordinator, which is called there: nothing was shown.
  const std::optional<std::string>& cluster_at() const { return cluster_at_; }

 private:
  struct Reading {
    std::vector<Sample> samples;
    TimePoint at;
  };

  Task<> stop() { co_await tasks_.cancel_and_join(); }

  Task<> show() { outcome_ = co_await show_all(); }

  Task<Result<>> show_all() {
    CO_TRY(Reading before, co_await fetch());
    cluster_at_ = coordinator_in(before.samples, address_.host);
    if (cluster_at_) co_return Result<>{};
    for (;;) {
      co_await core_.sleep_for(interval_);
      CO_TRY(Reading after, co_await fetch());
      print(compare(before.samples, after.samples, std::max<Duration>(after.at - before.at, 1ms), now_seconds()));
      if (flags_.once || out_.failed()) co_return Result<>{};
      before = std::move(after);
    }
  }

  double now_seconds() const { return std::chrono::duration<double>(clock_.wall().time_since_epoch()).count(); }

  Task<Result<Reading>> fetch() {
    const TimePoint deadline = clock_.now() + metrics_patience;
    auto stream = co_await (secure_ ? *secure_ : plain_).connect(address_, deadline);
    if (!stream) co_return fail(no_metrics(address_, stream.error().message()));
    std::string request = fmt::format("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", address_.text());
    if (!place_.token.empty()) request += "Authorization: Bearer " + place_.token + "\r\n";
    request += "\r\n";
    const auto answer = co_await with_deadline(core_, exchange_page(**stream, std::move(request)), deadline);
    if (!answer) co_return fail(no_metrics(address_, answer.error().message()));
    CO_TRY(const std::string body, body_of(address_, *answer));
    Reading reading{.samples = {}, .at = clock_.now()};
    CO_TRY(reading.samples, parse_metrics(body));
    co_return reading;
  }

  void print(const TopView& view) {
    if (flags_.format == Format::json) {
      out_.line(top_json(view));
    } else {
      const bool repaint = !flags_.once && ::isatty(STDOUT_FILENO) == 1;
      if (repaint) out_.raw("\x1b[H\x1b[2J");
      out_.raw(top_text(view, address_.text(), repaint ? terminal_lines() : lines_without_terminal));
      if (!flags_.once && !repaint) out_.raw("\n");
    }
    out_.flush();
  }

  const TopFlags& flags_;
  const Place place_;
  const net::Address& address_;
  Duration interval_;
  SystemClock clock_;
  Core core_;
  net::TcpNetwork plain_;
  std::unique_ptr<net::Network> secure_;
  Output out_;
  Result<> outcome_;
  std::optional<std::string> cluster_at_;
  TaskScope tasks_, stops_;
};

int run_cluster(const TopFlags& flags, const std::string& coordinator, Duration interval) {
  const ConnectionFlags& connection = flags;
  ClusterTopFlags cluster{connection, interval, flags.format == Format::json, flags.once};
  cluster.address = coordinator;
  cluster.request_timeout = coordinator_patience;
  return run_cluster_top(cluster);
}

int run_top(const TopFlags& flags) {
  const auto interval = parse_duration(flags.interval);
  if (!interval) return report(interval.error());
  if (*interval < 100ms) return report({Errc::invalid_argument, "--interval must be 100ms or longer"});
  if (!flags.coordinator.empty()) return run_cluster(flags, flags.coordinator, *interval);
  auto place = place_of(flags);
  if (!place) return report(place.error());
  std::optional<std::string> coordinator;
  int status = exit_ok;
  {
    Top top(flags, *std::move(place), *interval);
    status = top.run();
    coordinator = top.cluster_at();
  }
  return coordinator ? run_cluster(flags, *coordinator, *interval) : status;
}

}  // namespace

void add_top_command(CLI::App& app, Command& chosen) {
  CLI::App& top = *app.add_subcommand("top", "Watch what a running process or a cluster does");
  top.footer(
      std::string(
          "Rates and latencies are of the time since the last look. Latencies are upper bounds: those of the buckets in which they lie.\n"
          "Example:\n  skerry top -m localhost:8080\n  skerry top --once -o json | jq .puts_per_second\n"
          "  skerry top --coordinator localhost:6651\n\n") +
      exit_statuses_text());
  const auto flags = std::make_shared<TopFlags>();
  top.add_option("-m,--metrics-addr", flags->address, "Where the process answers GET /metrics; a coordinator's shows its cluster")
      ->capture_default_str();
  top.add_option("--coordinator", flags->coordinator,
                 "Public address of a coordinator: shows its cluster, its nodes, shards, leaders and who lags");
  top.add_option("--auth-token", flags->auth_token, "Token that the process asks for");
  top.add_option("--auth-token-file,--token-file", flags->auth_token_file, "File that holds the token");
  add_tls_options(top, *flags);
  top.add_option("-i,--interval", flags->interval, "How often to look")->capture_default_str();
  top.add_flag("--once", flags->once, "Look twice, an interval apart, print what happened and end");
  const auto take_format = [own = flags.get()](const std::string& name) {
    own->format = name == "json" ? Format::json : Format::text;
  };
  top.add_option_function<std::string>("-o,--output", take_format, "json: one object a line")
      ->type_name("text|json")
      ->transform(CLI::IsMember({"text", "json"}, CLI::ignore_case))
      ->option_text("text|json (text)");
  top.callback([&chosen, flags] { chosen = [flags] { return run_top(*flags); }; });
}

}  // namespace skerry::node
