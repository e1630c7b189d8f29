// SPDX-License-Identifier: Apache-2.0
// skerry_load: puts a store under load and prints what its clients saw, one line of JSON a run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "load/load.hpp"
#include "net/tcp.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::bench {
namespace {

enum class Protocol { store, etcd, redis };

struct Options {
  Protocol protocol = Protocol::store;
  std::vector<std::string> addresses;
  std::uint32_t connections = 1, shards = 1;
  bool preload = true;
  double seconds = 5, warm_up_seconds = 1;
  Load load;
};

std::unique_ptr<Target> make_target(Core& core, net::Network& network, const Options& options,
                                    std::vector<net::Address> addresses) {
  TargetOptions target{.addresses = std::move(addresses), .connections = options.connections, .shards = options.shards};
  switch (options.protocol) {
    case Protocol::etcd: return make_etcd_target(core, network, std::move(target));
    case Protocol::redis: return make_redis_target(core, network, std::move(target));
    case Protocol::store: break;
  }
  return make_store_target(core, network, std::move(target));
}

double micros(Duration duration) { return static_cast<double>(duration.count()) / 1e3; }

void print(const Report& report) {
  const double seconds = std::chrono::duration<double>(report.elapsed).count();
  fmt::print("{{\"operations_per_second\": {:.0f}, \"messages\": {}", static_cast<double>(report.operations) / seconds,
             report.latency.count());
  for (const auto& [name, fraction] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
    fmt::print(", \"{}_us\": {:.1f}", name, micros(report.latency.quantile(fraction)));
  }
  fmt::print(", \"max_us\": {:.1f}, \"generator_late_p99_us\": {:.1f}, \"slowest_second\": {}", micros(report.latency.max()),
             micros(report.lateness.quantile(0.99)), report.slowest_second);
  fmt::print(", \"delivered\": {}, \"delivered_p50_us\": {:.1f}, \"delivered_p99_us\": {:.1f}}}\n", report.delivered.count(),
             micros(report.delivered.quantile(0.5)), micros(report.delivered.quantile(0.99)));
}

Task<> run(Core& core, Target& target, Options options, Result<>& outcome, bool& done) {
  outcome = co_await target.connect();
  if (outcome && options.preload) {
    Load all = options.load;
    all.batch = options.protocol == Protocol::etcd ? 1 : 100;
    outcome = co_await preload(core, target, all);
  }
  if (outcome) {
    Result<Report> report = co_await run_load(core, target, options.load);
    if (report) {
      print(*report);
    } else {
      outcome = fail(std::move(report).error());
    }
  }
  co_await target.stop();
  done = true;
}

int run(const Options& options) {
  SystemClock clock;
  Core core(CoreId{0}, clock, options.load.seed);
  net::TcpNetwork network(core);
  std::vector<net::Address> addresses;
  for (const std::string& text : options.addresses) {
    Result<net::Address> address = net::Address::parse(text);
    if (!address) {
      fmt::print(stderr, "Error: {}\n", address.error().message());
      return 2;
    }
    addresses.push_back(*std::move(address));
  }
  const auto target = make_target(core, network, options, std::move(addresses));
  TaskScope tasks(core);
  Result<> outcome;
  bool done = false;
  tasks.spawn(run(core, *target, options, outcome, done));
  while (!done) core.run_turn();   // spins: the generator has a processor of its own, and sleeping would cost precision
  core.drop_frames();
  if (outcome) return 0;
  fmt::print(stderr, "Error: {}\n", outcome.error().message());
  return 1;
}

}  // namespace
}  // namespace skerry::bench

int main(int argc, char** argv) {
  using namespace skerry::bench;
  Options options;
  CLI::App app{"Puts a store under load and prints what its clients saw as one line of JSON."};
  const std::map<std::string, Protocol> protocols{
      {"store", Protocol::store}, {"etcd", Protocol::etcd}, {"redis", Protocol::redis}};
  app.add_option("--protocol", options.protocol, "store (Skerry and Oxia), etcd or redis")
      ->transform(CLI::CheckedTransformer(protocols, CLI::ignore_case));
  app.add_option("--address", options.addresses, "host:port; one for each shard, with commas between, where they differ")
      ->delimiter(',')
      ->required();
  app.add_option("--connections", options.connections, "to each shard")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--shards", options.shards, "puts go to so many in turn")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--put-share", options.load.put_share, "1: puts only, 0: gets only")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--value-bytes", options.load.value_bytes)->capture_default_str();
  app.add_option("--keys", options.load.keys)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--batch", options.load.batch, "operations a message")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--in-flight", options.load.in_flight, "messages on the way")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--rate", options.load.rate, "operations a second, due at even intervals; 0: closed loop")
      ->capture_default_str();
  app.add_flag("--gather", options.load.gather, "open loop: what is due goes as one message, of at most --batch operations");
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  app.add_option("--warm-up", options.warm_up_seconds)->check(CLI::Range(0.0, 600.0))->capture_default_str();
  app.add_flag("--each-once", options.load.each_once, "put every key once, in random order, and end with that");
  const std::map<std::string, RangeRead::What> ranges{{"keys", RangeRead::What::keys}, {"records", RangeRead::What::records}};
  app.add_option("--read-range", options.load.range, "read all \"keys\" or \"records\" again and again")
      ->transform(CLI::CheckedTransformer(ranges, CLI::ignore_case));
  app.add_option("--followers", options.load.followers, "of the changes; each is to be told of every put")->capture_default_str();
  app.add_option("--follower-connections", options.load.follower_connections)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("!--no-preload", options.preload, "the keys are there already");
  CLI11_PARSE(app, argc, argv);
  options.load.length = std::chrono::duration_cast<skerry::Duration>(std::chrono::duration<double>(options.seconds));
  options.load.warm_up = std::chrono::duration_cast<skerry::Duration>(std::chrono::duration<double>(options.warm_up_seconds));
  return run(options);
}
