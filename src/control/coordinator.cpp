// SPDX-License-Identifier: Apache-2.0
#include "control/coordinator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "control/server_link.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "runtime/wait_until.hpp"

namespace skerry::control {

// One term of office. Ends, once run() returns, when the status could not be stored.
class Coordinator::Office final : public ServerLinkListener {
 public:
  Office(Coordinator& coordinator, std::unique_ptr<CoordinatorCore> core, std::int64_t epoch)
      : coordinator_(coordinator), parts_(coordinator.parts_), core_(std::move(core)), epoch_(epoch), due_(parts_.core),
        tasks_(parts_.core) {}

  CoordinatorCore& core() { return *core_; }
  TimePoint now() const { return parts_.core.now(); }

  Task<> run() {
    act();
    while (!lost_) {
      const TimePoint next = std::min(core_->next_tick(), now() + limits::order_interval);
      co_await wait_until(parts_.core, due_, next);
      core_->tick(now());
      act();
    }
  }

  void wake() { due_.wake_all(); }

  Task<> stop() {
    co_await tasks_.cancel_and_join();
    for (const auto& [name, link] : links_) co_await link->stop();
    links_.clear();
  }

  void act() {
    if (acting_) return;   // from within: the loop below sees to it
    acting_ = true;
    for (Effects effects = core_->take_effects(); !effects.empty() && !lost_; effects = core_->take_effects()) {
      carry_out(std::move(effects));
    }
    acting_ = false;
  }

 private:
  void carry_out(Effects effects) {
    for (const Note& note : effects.notes) {
      note.level == Note::Level::warning ? parts_.logger.warn(note.text) : parts_.logger.info(note.text);
    }
    for (Attendance& each : effects.attend) attend(std::move(each));
    for (const std::string& name : effects.let_go) let_go(name);
    for (const std::string& name : effects.bind) {
      if (const auto link = links_.find(name); link != links_.end()) link->second->bind();
    }
    for (const auto& [name, node] : effects.give_up) {
      if (const auto link = links_.find(name); link != links_.end()) link->second->give_up(node);
    }
    if (effects.commit) tasks_.spawn(store(*std::move(effects.commit)));
    for (NodeCall& call : effects.calls) ask(std::move(call));
    for (const Publication& each : effects.publish) {
      if (ServerLink* link = link_to(each.to)) link->publish(each);
    }
  }

  void attend(Attendance wanted) {
    const auto found = links_.find(wanted.name);
    if (found != links_.end() && found->second->attendance().internal_address == wanted.internal_address) {
      return found->second->stands_for(wanted.node);
    }
    let_go(wanted.name);
    auto address = net::Address::parse(wanted.internal_address);
    if (!address) {   // the configuration was checked: only a damaged status leads here
      return parts_.logger.error("a server can't be called", {{"server", wanted.name}, {"reason", address.error()}});
    }
    const std::string name = wanted.name;
    links_.emplace(name,
                   std::make_unique<ServerLink>(parts_.core, parts_.network, ServerLink::Caller{core_->status().instance, epoch_},
                                                std::move(wanted), *std::move(address), *this));
  }

  void let_go(const std::string& name) {
    if (const auto found = links_.find(name); found != links_.end()) tasks_.spawn(end(std::move(links_.extract(found).mapped())));
  }
  static Task<> end(std::unique_ptr<ServerLink> link) { co_await link->stop(); }

  ServerLink* link_to(NodeId node) {
    const auto stands = [node](const auto& each) { return each.second->attendance().node == node; };
    const auto found = std::ranges::find_if(links_, stands);
    return found == links_.end() ? nullptr : found->second.get();
  }

  void ask(NodeCall call) {
    if (ServerLink* link = link_to(call.to)) return link->ask(std::move(call));
    core_->replied(call, Unanswered{"no server stands for the node"}, now());
  }

  Task<> store(StatusCommit commit) {
    const auto stored = co_await parts_.metadata.commit(std::move(commit.changes));
    if (stored) {
      core_->stored(commit.number, now());
      act();
      coordinator_.changed_.wake_all();
      co_return;
    }
    parts_.logger.warn("the cluster's status could not be stored; this coordinator leaves office", {{"reason", stored.error()}});
    lost_ = true;
    due_.wake_all();
    // Of the failures only this one leaves it in office, where nothing could change any more.
    if (stored.error() == Errc::resource_exhausted) parts_.give_up(stored.error());
  }

  // --- the servers
  void on_greeted(const std::string& name, Greeting greeting) override {
    unreached_.erase(name);
    core_->greeted(name, std::move(greeting), now());
    act();
  }
  void on_reported(const std::string& name, NodeReport report) override {
    core_->reported(name, std::move(report), now());
    act();
  }
  void on_broke(const std::string& name, const std::string& why) override {
    core_->broke(name, why, now());
    act();
  }
  void on_connect_failed(const std::string& name, const std::string& why) override {
    // That it can't be reached is said once; of what comes after that, what is new.
    const auto [known, first] = unreached_.try_emplace(name, why);
    if (!first && std::exchange(known->second, why) != why) {
      parts_.logger.warn("a server still can't be reached", {{"server", name}, {"reason", why}});
    }
    core_->connect_failed(name, why, now());
    act();
  }
  void on_replied(const NodeCall& call, NodeReply reply) override {
    core_->replied(call, reply, now());
    act();
  }

  Coordinator& coordinator_;
  Parts& parts_;
  std::unique_ptr<CoordinatorCore> core_;
  const std::int64_t epoch_;
  std::map<std::string, std::unique_ptr<ServerLink>> links_;
  std::map<std::string, std::string> unreached_;   // by name: why
  bool acting_ = false, lost_ = false;
  WaitList due_;
  TaskScope tasks_;
};

Coordinator::Coordinator(Parts parts) : parts_(std::move(parts)), changed_(parts_.core), tasks_(parts_.core) {}
Coordinator::~Coordinator() = default;

void Coordinator::start() { tasks_.spawn(serve()); }

Task<> Coordinator::stop() {
  co_await tasks_.cancel_and_join();
  if (office_) co_await office_->stop();
  office_.reset();
  changed_.wake_all();
}

Result<CommitNumber> Coordinator::configure(ClusterConfig config) {
  if (!office_) return fail(Errc::unavailable, "this coordinator is not in office: ask the one that is");
  TRY(const CommitNumber number, office_->core().configured(std::move(config), parts_.core.now()));
  office_->act();
  return number;
}

const std::optional<ConfigFile::Stored>& Coordinator::configuration() {
  static const std::string none;
  const auto find = [this](std::string_view key) -> const std::string& {
    const std::string* const found = parts_.metadata.find(std::string(key));
    return found == nullptr ? none : *found;
  };
  const std::string& yaml = find(configuration_key);
  if (yaml == kept_yaml_) return kept_;
  kept_yaml_ = yaml;
  kept_.reset();
  if (auto config = ClusterConfig::from_yaml(yaml)) {
    kept_ = {*std::move(config), former_configurations(find(former_configurations_key))};
  }
  return kept_;
}

CoordinatorCore* Coordinator::in_office() { return office_ ? &office_->core() : nullptr; }

void Coordinator::act() {
  if (office_) office_->act();
}

void Coordinator::act_soon() {
  if (office_) office_->wake();
}

Task<Result<>> Coordinator::wait_stored(CommitNumber number) {
  const std::int64_t epoch = epoch_;
  while (office_ && epoch == epoch_) {
    if (office_->core().durable() >= number) co_return Result<>{};
    co_await changed_.wait();
  }
  co_return fail(Errc::deadline_exceeded,   // as of what is not answered in time
                 "this coordinator is not in office any more; whether the change was stored is not known: ask the one "
                 "that is");
}

Task<> Coordinator::serve() {
  while (co_await serve_once()) {}
}

// False when it makes no sense to go on.
Task<bool> Coordinator::serve_once() {
  const auto taken = co_await parts_.metadata.take_office();
  if (!taken) {
    parts_.give_up(taken.error());
    co_return false;
  }
  const std::string fresh = fmt::format("{:016x}{:016x}", parts_.core.random().next(), parts_.core.random().next());
  auto core = CoordinatorCore::take_office(*taken, {.fresh_instance = fresh}, parts_.core.now());
  if (!core) {
    parts_.give_up(core.error());
    co_return false;
  }
  office_ = std::make_unique<Office>(*this, *std::move(core), taken->epoch);
  epoch_ = taken->epoch;
  changed_.wake_all();
  parts_.logger.info("in office", {{"epoch", taken->epoch}, {"cluster", office_->core().status().instance}});
  co_await run_beside(parts_.core, parts_.metadata.wait_ousted(), office_->run());
  co_await office_->stop();
  office_.reset();
  changed_.wake_all();
  parts_.logger.warn("not in office any more");
  co_return true;
}

}  // namespace skerry::control
