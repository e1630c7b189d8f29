// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "node/cli_cluster_control.hpp"
#include "node/cli_cluster_up.hpp"
#include "node/cli_number.hpp"

namespace skerry::node {
namespace {

using Word = ControlRequest::Word;
using Direction = ControlRequest::Direction;

struct ControlFlags {
  ControlRequest request;
  std::string folder = ClusterUpOptions().folder;
};

int control(const ControlFlags& flags) {
  const auto answer = send_control(flags.folder + "/control", flags.request);
  if (!answer) return report(answer.error());
  fmt::print("{}\n", *answer);
  return exit_ok;
}

void add_folder(CLI::App& app, std::string& folder) {
  app.add_option("--dir", folder, "The cluster's folder")->capture_default_str();
}

void add_up(CLI::App& cluster, Command& chosen) {
  CLI::App& up = *cluster.add_subcommand("up", "Run a coordinator and some nodes, each as a process of its own, and watch them");
  struct UpFlags {
    ClusterUpOptions options;
    bool once = false;
  };
  const auto flags = std::make_shared<UpFlags>();
  up.footer(
      "Everything is on this machine and below one folder: configuration, data, and a log file for each. What a former run left there\n"
      "goes on. Each node takes ten ports from the base port on: the first is for its clients; the coordinator's is the fourth.\n"
      "Example:\n"
      "  skerry cluster up --nodes 3 --shards 4        in one terminal; Ctrl-C stops all of it\n"
      "  skerry client -a localhost:6648 put /a 1      in another one\n"
      "  skerry admin -a localhost:6651 cluster status\n"
      "  skerry cluster kill 2                         and watch who leads then\n"
      "  skerry cluster restart 2");
  up.add_option("--nodes", flags->options.nodes, "How many servers")
      ->transform(whole_number<std::uint32_t>())
      ->capture_default_str();
  up.add_option("--shards", flags->options.shards, "How many shards the namespace default gets, when it is made")
      ->transform(whole_number<std::uint32_t>())
      ->capture_default_str();
  up.add_option("--replication-factor", flags->options.replicas, "Copies of each shard; without it 3, or one on each node")
      ->transform(whole_number<std::uint32_t>());
  add_folder(up, flags->options.folder);
  up.add_option("--base-port", flags->options.base_port, "The first port")
      ->transform(whole_number<std::uint32_t>(1, UINT16_MAX))
      ->capture_default_str();
  up.add_flag("--once", flags->once, "End when every shard has a leader: a trial of whether it can run here");
  up.callback([&chosen, flags] { chosen = [flags] { return run_cluster_up(flags->options, flags->once); }; });
}

// A word that acts on one member of a running cluster.
std::pair<CLI::App&, std::shared_ptr<ControlFlags>> add_word(CLI::App& cluster, Command& chosen, Word word, const char* name,
                                                             const char* help) {
  CLI::App& app = *cluster.add_subcommand(name, help);
  const auto flags = std::make_shared<ControlFlags>();
  flags->request.word = word;
  add_folder(app, flags->folder);
  app.callback([&chosen, flags] { chosen = [flags] { return control(*flags); }; });
  return {app, flags};
}

void add_partition(CLI::App& cluster, Command& chosen) {
  auto [app, flags] = add_word(cluster, chosen, Word::partition, "partition", "Cut a member off, without stopping it");
  app.footer(
      "Nothing arrives between them and nobody is told, as when a switch is dead. Clients still reach the node.\n"
      "Example:\n"
      "  skerry cluster partition 2                          from everybody\n"
      "  skerry cluster partition 2 --from 3                 from one other node\n"
      "  skerry cluster partition 2 --from coordinator --direction out\n"
      "  skerry cluster heal 2");
  app.add_option("MEMBER", flags->request.member, "Its number, or coordinator")->required();
  app.add_option("--from", flags->request.peers, "From this one; again for more. Without it from all");
  const auto take = [own = flags](const std::string& text) {
    own->request.direction = text == "in" ? Direction::in : text == "out" ? Direction::out : Direction::both;
  };
  app.add_option_function<std::string>("--direction", take, "in: it hears nothing; out: it is not heard")
      ->type_name("both|in|out")
      ->transform(CLI::IsMember({"both", "in", "out"}, CLI::ignore_case))
      ->option_text("both|in|out (both)");
}

}  // namespace

void add_cluster_command(CLI::App& app, Command& chosen) {
  CLI::App& cluster =
      *app.add_subcommand("cluster", "Try a whole cluster out on this machine: start it, and make trouble for it");
  cluster.footer(
      "`skerry cluster up --help` tells how to begin. The others act on one that is up, in the same --dir.\n"
      "A real cluster is `skerry coordinator` and `skerry server`, managed by `skerry admin`.\n\n" +
      exit_statuses_text());
  cluster.require_subcommand(1);
  add_up(cluster, chosen);
  struct Row {
    Word word;
    const char *name, *help;
  };
  for (const auto& [word, name, help] :
       {Row{Word::kill, "kill", "Kill a member, as if its machine lost power"},
        Row{Word::pause, "pause", "Stop a member without ending it, as if its machine hung"},
        Row{Word::resume, "resume", "Let a member that is paused go on"},
        Row{Word::restart, "restart", "Start a member, or end it gracefully and start it again"}}) {
    auto [app_of, flags] = add_word(cluster, chosen, word, name, help);
    app_of.add_option("MEMBER", flags->request.member, "Its number, or coordinator")->required();
  }
  add_partition(cluster, chosen);
  auto [healing, flags] = add_word(cluster, chosen, Word::heal, "heal", "End what `partition` began");
  healing.add_option("MEMBER", flags->request.member, "Of this member alone: its number, or coordinator");
}

}  // namespace skerry::node
