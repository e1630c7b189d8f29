// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_local.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/bytes.hpp"
#include "node/cli_connection.hpp"

namespace skerry::node {
namespace {

constexpr auto end_patience = 10s;   // with a process that was asked to end
constexpr Duration end_pause = 10ms;

std::map<ClusterLinks::Member, ClusterLinks::Link> links_of(const ClusterPlan& plan) {
  std::map<ClusterLinks::Member, ClusterLinks::Link> links;
  for (const ClusterPlan::Member& each : plan.members) {
    if (each.number != 0) links[each.number] = {each.link, each.internal_address};
  }
  return links;
}

// What is there stays.
Result<> write_once(const std::string& path, const std::string& text) {
  if (std::filesystem::exists(path)) return {};
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return fail(Errc::io_failed, fmt::format("{} can't be written: check the path and its permissions", path));
}

}  // namespace

LocalCluster::LocalCluster(Core& core, net::Network& network, ClusterPlan plan, std::function<void(std::string)> say)
    : core_(core), network_(network), plan_(std::move(plan)), say_(std::move(say)),
      links_(core, network, links_of(plan_), std::bind_front(&LocalCluster::caller_of, this)) {
  for (std::size_t n = 0; n < plan_.members.size(); ++n) running_.push_back(std::make_unique<Running>());
}

LocalCluster::~LocalCluster() {
  if (claim_ >= 0) ::close(claim_);
}

// --- start and stop

Result<> LocalCluster::start() {
  TRYV(check_folder());
  TRYV(claim());
  TRYV(check_plan());
  TRYV(check_ports());
  TRYV(prepare());
  TRYV(links_.start());
  for (const ClusterPlan::Member& each : plan_.members) TRYV(launch(each.number));
  return {};
}

// A new one, or a cluster's: what another program keeps is not mixed with ours.
Result<> LocalCluster::check_folder() const {
  const std::string& folder = plan_.options.folder;
  std::error_code none;
  if (std::filesystem::exists(plan_.made_with_file(), none) || std::filesystem::exists(plan_.config_file(), none)) return {};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (const std::string name = entry.path().filename(); !ClusterPlan::owns(name)) {
      return fail(Errc::invalid_argument,
                  fmt::format("{} is no folder of a cluster and not empty (it holds {}): choose an empty or a new --dir", folder,
                              printable(name)));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(Errc::io_failed, fmt::format("{} can't be read: {}", folder, error.message()));
  }
  return {};
}

Result<> LocalCluster::claim() {
  std::error_code error;
  std::filesystem::create_directories(plan_.options.folder, error);
  if (error) return fail(Errc::io_failed, fmt::format("{} can't be made: {}", plan_.options.folder, error.message()));
  const std::string path = plan_.options.folder + "/lock";
  claim_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (claim_ < 0) return fail(Errc::io_failed, fmt::format("{} can't be opened: {}", path, std::strerror(errno)));
  if (::flock(claim_, LOCK_EX | LOCK_NB) == 0) return {};
  return fail(Errc::already_exists, fmt::format("`skerry cluster up` runs in {} already", plan_.options.folder));
}

// What an earlier run left goes on, with what the admin commands have changed since: which servers are configured is theirs to
// say.
Result<> LocalCluster::check_plan() const {
  const std::string path = plan_.made_with_file();
  if (!std::filesystem::exists(path)) return {};
  TRY(const std::string made_with, read_all(path));
  if (made_with == plan_.made_with() + "\n") return {};
  return fail(Errc::invalid_argument,
              fmt::format("{} has a cluster that was made with {}, not with {}: give those, or another --dir",
                          plan_.options.folder, made_with.substr(0, made_with.find('\n')), plan_.made_with()));
}

Result<> LocalCluster::prepare() const {
  std::error_code error;
  for (const ClusterPlan::Member& each : plan_.members) {
    std::filesystem::create_directories(each.number == 0 ? each.folder + "/metadata" : each.folder, error);
    if (error) return fail(Errc::io_failed, fmt::format("{} can't be made: {}", each.folder, error.message()));
  }
  TRYV(write_once(plan_.made_with_file(), plan_.made_with() + "\n"));
  return write_once(plan_.config_file(), plan_.config_yaml());
}

Result<> LocalCluster::check_ports() {
  for (const ClusterPlan::Member& each : plan_.members) {
    for (const net::Address& address : {each.public_address, each.internal_address, each.metrics_address}) {
      if (const auto free = network_.listen(address); !free) {
        return fail(free.error().code, fmt::format("{} needs the port {}: {}; --base-port chooses others", each.name,
                                                   address.port, free.error().message()));
      }
    }
  }
  return {};
}

Result<> LocalCluster::launch(std::uint32_t member) {
  Running& running = *running_[member];
  TRYV(running.process.start(plan_.members[member].command(), log_file(member)));
  running.expected = true;
  running.killed = false;
  return {};
}

Task<> LocalCluster::stop() {
  for (const auto& each : running_) {
    each->expected = false;
    each->process.terminate();
  }
  for (std::uint32_t member = 0; member < running_.size(); ++member) {
    if (co_await await_end(member, end_patience)) continue;
    say_(fmt::format("{} did not end within {} s and is killed", name_of(member), std::chrono::seconds(end_patience).count()));
    running_[member]->process.kill();
    co_await await_end(member, end_patience);
  }
  co_await links_.stop();
}

Task<bool> LocalCluster::await_end(std::uint32_t member, Duration patience) {
  const TimePoint until = core_.now() + patience;
  while (running_[member]->process.running()) {
    if (core_.now() >= until) co_return false;
    co_await core_.sleep_for(end_pause);
  }
  co_return true;
}

std::string LocalCluster::look() {
  std::string said;
  for (std::uint32_t member = 0; member < running_.size(); ++member) {
    Running& each = *running_[member];
    if (each.process.running() || !each.expected) continue;
    each.expected = false;
    said = fmt::format("{} ended with {}: {}", name_of(member), each.process.how_it_ended(), last_line(log_file(member)));
    say_(said);
  }
  return said;
}

std::string LocalCluster::state_of(std::uint32_t member) const {
  Running& each = *running_[member];
  std::string state = "running";
  if (!each.process.running()) state = each.killed ? "killed" : "ended with " + each.process.how_it_ended();
  if (each.process.paused()) state = "paused";
  std::vector<std::string> apart;
  for (const ClusterPlan::Member& other : plan_.members) {
    if (links_.is_cut(member, other.number) || links_.is_cut(other.number, member)) apart.push_back(other.name);
  }
  if (apart.empty()) return state;
  return fmt::format("{}, cut from {}", state,
                     apart.size() + 1 == plan_.members.size() ? "all" : fmt::to_string(fmt::join(apart, " ")));
}

std::optional<std::uint32_t> LocalCluster::caller_of(std::uint16_t port, std::uint16_t link_port) const {
  std::vector<pid_t> processes;
  for (const auto& each : running_) processes.push_back(each->process.pid());
  const auto owner = owner_of_connection(processes, port, link_port);
  return owner ? std::optional(static_cast<std::uint32_t>(*owner)) : std::nullopt;
}

// --- what is asked

Task<Result<std::string>> LocalCluster::carry_out(ControlRequest request) {
  using Word = ControlRequest::Word;
  std::optional<std::uint32_t> member;
  if (!request.member.empty() || request.word != Word::heal) {
    CO_TRY(member, plan_.find(request.member));
  }
  Result<std::string> outcome;
  switch (request.word) {
    case Word::kill: outcome = kill(*member); break;
    case Word::pause: outcome = pause(*member); break;
    case Word::resume: outcome = resume(*member); break;
    case Word::restart: outcome = co_await restart(*member); break;
    case Word::partition: outcome = partition(*member, request); break;
    case Word::heal: outcome = heal(member); break;
  }
  if (outcome) say_(*outcome);
  co_return outcome;
}

Result<std::string> LocalCluster::kill(std::uint32_t member) {
  Running& each = *running_[member];
  if (!each.process.running()) return fmt::format("{} did not run", name_of(member));
  each.expected = false;
  each.killed = true;
  each.process.kill();
  return fmt::format("{} is killed", name_of(member));
}

Result<std::string> LocalCluster::pause(std::uint32_t member) {
  if (!running_[member]->process.running()) {
    return fail(Errc::invalid_argument, fmt::format("{} does not run: `skerry cluster restart` starts it", name_of(member)));
  }
  running_[member]->process.pause();
  return fmt::format("{} is paused: it stays and does nothing, as if its machine hung", name_of(member));
}

Result<std::string> LocalCluster::resume(std::uint32_t member) {
  if (!running_[member]->process.paused()) return fail(Errc::invalid_argument, fmt::format("{} is not paused", name_of(member)));
  running_[member]->process.resume();
  return fmt::format("{} goes on", name_of(member));
}

Task<Result<std::string>> LocalCluster::restart(std::uint32_t member) {
  Running& each = *running_[member];
  each.expected = false;
  each.process.terminate();
  if (!co_await await_end(member, end_patience)) {
    each.process.kill();
    co_await await_end(member, end_patience);
  }
  CO_TRYV(launch(member));
  co_return fmt::format("{} is started again", name_of(member));
}

Result<std::string> LocalCluster::partition(std::uint32_t member, const ControlRequest& request) {
  std::vector<std::uint32_t> peers;
  for (const std::string& text : request.peers) {
    TRY(const std::uint32_t peer, plan_.find(text));
    if (peer == member) return fail(Errc::invalid_argument, fmt::format("{} can't be cut from itself", name_of(member)));
    peers.push_back(peer);
  }
  for (const ClusterPlan::Member& each : plan_.members) {
    if (request.peers.empty() && each.number != member) peers.push_back(each.number);
  }
  std::vector<std::string> names;
  for (const std::uint32_t peer : peers) {
    if (request.direction != ControlRequest::Direction::in) links_.cut(member, peer);
    if (request.direction != ControlRequest::Direction::out) links_.cut(peer, member);
    names.push_back(name_of(peer));
  }
  const char* what = request.direction == ControlRequest::Direction::both ? "is cut from"
                     : request.direction == ControlRequest::Direction::in ? "no longer hears"
                                                                          : "is no longer heard by";
  return fmt::format("{} {} {}", name_of(member), what, fmt::join(names, ", "));
}

Result<std::string> LocalCluster::heal(std::optional<std::uint32_t> member) {
  const auto cuts = links_.cuts();
  for (const auto& [from, to] : cuts) {
    if (!member || from == *member || to == *member) links_.heal(from, to);
  }
  return member ? fmt::format("{} is cut from nobody", name_of(*member)) : "nobody is cut from anybody";
}

}   // namespace skerry::node
