// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/this_coro.hpp>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/core.hpp"
#include "runtime/mailboxes.hpp"

namespace skerry {
namespace detail {

template <class T>
struct TaskResult {
  using type = T;
  static constexpr bool is_task = false;
};
template <class T>
struct TaskResult<Task<T>> {
  using type = T;
  static constexpr bool is_task = true;
};

template <class F, class... Args>
using Returned = std::invoke_result_t<F&, std::decay_t<Args>...>;
template <class F, class... Args>
using Outcome = typename TaskResult<Returned<F, Args...>>::type;

// A function that can be sent to another core: it carries no references of its own.
template <class F>
concept Portable =
    std::is_empty_v<F> || std::is_member_pointer_v<F> || (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

template <class F, class... Args>
class Call final : public CallLetter {
 public:
  using Value = Outcome<F, Args...>;
  static constexpr bool is_task = TaskResult<Returned<F, Args...>>::is_task;

  Call(Mailboxes& mailboxes, Core& home, CoreId owner, Mailboxes::Service service, F function, Args... arguments)
      : CallLetter(mailboxes, home, owner, service), function_(function), arguments_(std::in_place, std::move(arguments)...) {}

  Value take() {
    if constexpr (!std::is_void_v<Value>) return std::move(*value_);
  }

 private:
  bool work_now() override {
    if constexpr (!is_task) {
      try {
        if constexpr (std::is_void_v<Value>) {
          std::apply(function_, std::move(*arguments_));
        } else {
          value_.emplace(std::apply(function_, std::move(*arguments_)));
        }
      } catch (...) {
        exception_ = std::current_exception();
      }
      arguments_.reset();   // freed on the owner's core, where the function may have left something in them
    }
    return !is_task;
  }

  Task<> work() override {
    if constexpr (is_task) {
      try {
        if constexpr (std::is_void_v<Value>) {
          co_await std::apply(function_, std::move(*arguments_));
        } else {
          value_.emplace(co_await std::apply(function_, std::move(*arguments_)));
        }
      } catch (...) {
        exception_ = std::current_exception();
      }
      arguments_.reset();
    }
    co_return;
  }

  F function_;
  std::optional<std::tuple<Args...>> arguments_;
  std::optional<std::conditional_t<std::is_void_v<Value>, std::monostate, Value>> value_;
};

template <class F, class... Args>
class Post final : public Letter {
 public:
  Post(Mailboxes& mailboxes, F function, Args... arguments)
      : mailboxes_(mailboxes), function_(function), arguments_(std::move(arguments)...) {}

 private:
  void arrive(Core& here, Mail) override {
    if constexpr (TaskResult<Returned<F, Args...>>::is_task) {
      mailboxes_.tasks(here.id()).spawn(std::apply(function_, std::move(arguments_)));
    } else {
      std::apply(function_, std::move(arguments_));
    }
  }

  Mailboxes& mailboxes_;
  F function_;
  std::tuple<Args...> arguments_;
};

}  // namespace detail

// All cores of a process and the post between them. Owned by the App (or the simulator), which drives the loops; outlives
// whatever runs on them. Once built it is read only: any core may use it.
class Cores {
 public:
  // Core k gets the k-th number of the sequence that `seed` starts. `clock` must outlive this.
  Cores(std::size_t count, const Clock& clock, std::uint64_t seed, Outside outside = Outside::open);
  Cores(const Cores&) = delete;
  Cores& operator=(const Cores&) = delete;
  ~Cores();   // loops must have ended; frames that are left are dropped

  std::size_t size() const { return cores_.size(); }
  Core& core(CoreId id) const { return *cores_.at(id.value()); }
  const std::vector<std::unique_ptr<Core>>& all() const { return cores_; }
  Mailboxes& mailboxes() { return *mailboxes_; }

  // Runs a free function, member function or captureless lambda, plain or coroutine, on the owner's core and brings its result
  // or exception back. Directly when that is the caller's own core. The arguments are values that move to the owner; the
  // result moves back, and is freed on the caller's core even if the caller has gone. Cancelling the caller cancels the work,
  // without waiting for its end. Waits while `owner` is behind with earlier calls.
  //   co_await cores.call(owner, read_row, key);
  //   co_await cores.call(owner, [&] { … });   // does not compile: what it captures belongs to this core
  template <detail::Portable F, class... Args>
  Task<detail::Outcome<F, Args...>> call(CoreId owner, F function, Args... arguments) {
    Core& here = Core::of(co_await asio::this_coro::executor);
    using Call = detail::Call<F, Args...>;
    if (owner == here.id()) {
      if constexpr (Call::is_task) {
        co_return co_await std::invoke(function, std::move(arguments)...);
      } else {
        co_return std::invoke(function, std::move(arguments)...);
      }
    }
    co_await mailboxes_->room(here, owner);
    const auto letter =
        std::make_shared<Call>(*mailboxes_, here, owner, Mailboxes::Service::ordinary, function, std::move(arguments)...);
    co_await letter->round_trip(here);
    co_return letter->take();
  }

  // Runs it on the owner's core and forgets it: an exception there is a bug and ends the process, a coroutine is cancelled when
  // the process stops. Returns when it is on its way. On its own core it runs before this returns (a coroutine is started).
  template <detail::Portable F, class... Args>
  Task<> post(CoreId owner, F function, Args... arguments) {
    Core& here = Core::of(co_await asio::this_coro::executor);
    if (owner != here.id()) co_await mailboxes_->room(here, owner);
    post_now(here, owner, function, std::move(arguments)...);
  }

  // The same from outside a coroutine of core `here`, without waiting: for what happens a bounded number of times.
  template <detail::Portable F, class... Args>
  void post_now(Core& here, CoreId owner, F function, Args... arguments) {
    Mail mail{std::make_shared<detail::Post<F, Args...>>(*mailboxes_, function, std::move(arguments)...)};
    if (owner != here.id()) return mailboxes_->send(here, owner, std::move(mail));
    Letter& letter = *mail.letter;
    letter.arrive(here, std::move(mail));
  }

  // Cancels what serves calls and posts between cores, everywhere, and returns when all has ended. Coroutines that are called
  // from then on throw cancellation; plain functions still run. Part of stopping; never from a task that itself serves a call.
  Task<> end_calls();

 private:
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<Mailboxes> mailboxes_;
};

// An object that lives on another core, or on this one, and is freed there, wherever this pointer ends. Movable to any core;
// what it points to may be touched on its home core only: cores.call(pointer.home(), function, std::move(pointer)).
template <class T>
class ForeignPtr {
 public:
  ForeignPtr() = default;
  ForeignPtr(Core& home, std::unique_ptr<T> object) : home_(&home), object_(std::move(object)) {}
  ForeignPtr(ForeignPtr&&) noexcept = default;
  ForeignPtr& operator=(ForeignPtr&& other) noexcept {
    release();
    home_ = other.home_;
    object_ = std::move(other.object_);
    return *this;
  }
  ~ForeignPtr() { release(); }

  CoreId home() const { return home_->id(); }
  explicit operator bool() const { return object_ != nullptr; }
  T& operator*() const { return *object_; }   // on the home core
  T* operator->() const { return object_.get(); }

 private:
  // By the door that any thread may use, since a destructor can't know which core it runs on.
  void release() {
    if (object_) home_->post_from_outside([object = std::move(object_)] {});
  }
  Core* home_ = nullptr;
  std::unique_ptr<T> object_;
};

}   // namespace skerry
