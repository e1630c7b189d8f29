// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "runtime/cores.hpp"
#include "runtime/join.hpp"

namespace skerry {

// One T on every core, and the way to those on other cores. Filled before anything runs; any core may use it.
template <class T>
class Sharded {
 public:
  explicit Sharded(Cores& cores) : cores_(&cores), instances_(cores.size()) {}
  void set(CoreId core, T* instance) { instances_.at(core.value()) = instance; }

  std::size_t size() const { return instances_.size(); }
  Cores& cores() const { return *cores_; }
  // On that core only.
  T& local(CoreId core) const {
    SKERRY_ASSERT(instances_.at(core.value()) != nullptr);
    return *instances_[core.value()];
  }

  // Calls a member function, or a free one that takes T& first, on core `owner`.
  //   co_await stores.invoke_on(owner, &Store::get, key);
  template <detail::Portable F, class... Args>
  auto invoke_on(CoreId owner, F function, Args... arguments) const {
    return cores_->call(owner, OnInstance{}, function, instances_.at(owner.value()), std::move(arguments)...);
  }

  // On every core at the same time, with copies of the arguments; returns when all are done. The first exception, by core, is
  // thrown then.
  template <detail::Portable F, class... Args>
  Task<> invoke_on_all(F function, Args... arguments) const {
    Core& here = Core::of(co_await asio::this_coro::executor);
    std::vector<Task<>> calls;
    for (const auto& core : cores_->all()) calls.push_back(ignore(invoke_on(core->id(), function, arguments...)));
    co_await run_all(here, std::move(calls));
  }

  // Folds what each core returns, in the order of cores: total = reduce(std::move(total), one core's value).
  template <class Total, class Reduce, detail::Portable F, class... Args>
  Task<Total> map_reduce(Total total, Reduce reduce, F function, Args... arguments) const {
    using Value = detail::Outcome<OnInstance, F, T*, Args...>;
    Core& here = Core::of(co_await asio::this_coro::executor);
    std::vector<std::optional<Value>> values(size());
    std::vector<Task<>> calls;
    for (const auto& core : cores_->all()) {
      calls.push_back(keep(invoke_on(core->id(), function, arguments...), values[core->id().value()]));
    }
    co_await run_all(here, std::move(calls));
    for (auto& value : values) total = reduce(std::move(total), *std::move(value));
    co_return total;
  }

 private:
  struct OnInstance {
    template <class F, class... Args>
    decltype(auto) operator()(F function, T* instance, Args&&... arguments) const {
      return std::invoke(function, *instance, std::forward<Args>(arguments)...);
    }
  };
  template <class Value>
  static Task<> ignore(Task<Value> task) {
    co_await std::move(task);
  }
  template <class Value>
  static Task<> keep(Task<Value> task, std::optional<Value>& into) {
    into.emplace(co_await std::move(task));
  }

  Cores* cores_;
  std::vector<T*> instances_;
};

}  // namespace skerry
