// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/result.hpp"
#include "runtime/blocking.hpp"
#include "runtime/cores.hpp"
#include "runtime/event.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/sharded.hpp"

namespace skerry {

// A part of the process with one instance on every core, built as T(AppletContext&, arguments…).
//   start()  begins its work; a failure ends the process with its text
//   stop()   ends all of it: nothing that it started is left running. Also called after a start() that failed.
template <class T>
concept Applet = requires(T applet) {
  { applet.start() } -> std::same_as<Task<Result<>>>;
  { applet.stop() } -> std::same_as<Task<>>;
};

class Applets;

// What an applet sees of its process, on its own core. Outlives it.
class AppletContext {
 public:
  AppletContext(Applets& applets, Core& own) : core(own), applets_(applets), hung_up_(own) {}

  Core& core;
  Cores& cores() const;
  Blocking& blocking() const;
  Metrics& metrics() const;
  Metrics& process_metrics() const;      // on core 0
  MetricsRegistry& metrics_registry() const;
  LogRegistry& log_registry() const;
  Logger log(std::string_view module) const { return log_registry().logger(module, core.id()); }

  // How often somebody has wanted the files that may change to be looked at now: a SIGHUP.
  std::uint64_t hang_ups() const { return hang_ups_; }
  // Returns once there were more than `seen`.
  Task<> wait_hang_up(std::uint64_t seen);

  // The sibling on this core: any applet once all are built, in a constructor those registered before.
  template <class T>
  T& get() const {
    return sharded<T>().local(core.id());
  }
  // The same applet on all cores. Asking for one that is not part of this process is a bug.
  template <class T>
  const Sharded<T>& sharded() const;
  template <class T>
  const Sharded<T>* find_sharded() const;   // null when it is not part of this process

 private:
  friend class Applets;
  Applets& applets_;
  std::uint64_t hang_ups_ = 0;
  Signal hung_up_;
};

// What the applets of a process share. All of it outlives them.
struct AppletServices {
  Cores& cores;
  Blocking& blocking;
  LogRegistry& log;
  MetricsRegistry& metrics;
};

// The applets of a process, in order. App runs them on threads; the simulator on its own loops. start() and stop() are coroutines
// of core 0, and reach the other cores by calls.
class Applets {
 public:
  explicit Applets(AppletServices services);
  Applets(const Applets&) = delete;
  Applets& operator=(const Applets&) = delete;
  ~Applets();   // stop() first; what is left is destroyed here, after the loops have ended

  // Before start(). Each core's instance gets its own copy of the arguments.
  template <Applet T, std::copy_constructible... Args>
  void add(std::string name, Args... arguments);

  // Builds every applet on every core, then starts them in the order they were added, each on all cores at once.
  // Fails with the first failure, after stopping what had been started.
  Task<Result<>> start();
  // Stops in reverse order, then destroys each on its core.
  Task<> stop();
  // Wakes who waits for it, on every core.
  Task<> hang_up();

  const AppletServices& services() const { return services_; }
  // The applet whose start() or stop() is being waited for; empty when none. For messages; any thread.
  std::string busy_with() const;

 private:
  friend class AppletContext;
  class Kind;
  template <class T>
  class KindOf;

  Task<Result<>> build();
  Task<Result<>> start_one(Kind& kind);
  Task<> stop_one(Kind& kind);
  void note_busy(std::string what);
  Kind* find(std::type_index type) const;

  AppletServices services_;
  std::vector<std::unique_ptr<AppletContext>> contexts_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::size_t begun_ = 0;   // kinds whose start() was called
  mutable std::mutex busy_mutex_;
  std::string busy_;
};

// One registered applet class.
class Applets::Kind {
 public:
  Kind(std::string name, std::type_index type) : name_(std::move(name)), type_(type) {}
  virtual ~Kind() = default;
  const std::string& name() const { return name_; }
  std::type_index type() const { return type_; }
  // All on the core of the context.
  virtual void build(AppletContext& context) = 0;
  virtual Task<Result<>> start(CoreId core) = 0;
  virtual Task<> stop(CoreId core) = 0;
  virtual void destroy(CoreId core) = 0;

 private:
  const std::string name_;
  const std::type_index type_;
};

template <class T>
class Applets::KindOf final : public Kind {
 public:
  using Make = std::function<std::unique_ptr<T>(AppletContext&)>;
  KindOf(std::string name, Cores& cores, Make make)
      : Kind(std::move(name), typeid(T)), make_(std::move(make)), instances_(cores.size()), sharded_(cores) {}
  const Sharded<T>& sharded() const { return sharded_; }

  void build(AppletContext& context) override {
    auto& instance = instances_[context.core.id().value()];
    instance = make_(context);
    sharded_.set(context.core.id(), instance.get());
  }
  Task<Result<>> start(CoreId core) override { return instances_[core.value()]->start(); }
  Task<> stop(CoreId core) override { return instances_[core.value()]->stop(); }
  void destroy(CoreId core) override {
    sharded_.set(core, nullptr);
    instances_[core.value()].reset();
  }

 private:
  Make make_;   // called on several cores at once: copies its arguments, changes nothing
  std::vector<std::unique_ptr<T>> instances_;   // each touched by its own core
  Sharded<T> sharded_;
};

template <Applet T, std::copy_constructible... Args>
void Applets::add(std::string name, Args... arguments) {
  auto make = [arguments = std::make_tuple(std::move(arguments)...)](AppletContext& context) {
    return std::apply([&context](const auto&... each) { return std::make_unique<T>(context, each...); }, arguments);
  };
  kinds_.push_back(std::make_unique<KindOf<T>>(std::move(name), services_.cores, std::move(make)));
}

template <class T>
const Sharded<T>* AppletContext::find_sharded() const {
  auto* kind = applets_.find(typeid(T));
  return kind == nullptr ? nullptr : &static_cast<Applets::KindOf<T>*>(kind)->sharded();
}

template <class T>
const Sharded<T>& AppletContext::sharded() const {
  const auto* found = find_sharded<T>();
  SKERRY_ASSERT(found != nullptr);
  return *found;
}

}   // namespace skerry
