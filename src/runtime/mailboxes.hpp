// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <vector>

#include "base/ids.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"
#include "runtime/wait_list.hpp"

namespace skerry {

// What travels between cores. It belongs to one core at a time; handing it to a ring hands over everything in it.
struct Mail {
  std::shared_ptr<class Letter> letter;
  std::uint8_t step = 0;
};
class Letter {
 public:
  virtual ~Letter() = default;
  // `mail` holds this letter. Sending it on must be the last thing done with it: from then on it is another core's.
  virtual void arrive(Core& here, Mail mail) = 0;
};

// A bounded queue from one core to another. One thread pushes, one pops, neither waits.
class MailRing {
 public:
  static constexpr std::size_t capacity = 1024;   // a power of two
  MailRing() : slots_(capacity) {}

  bool push(Mail& mail);   // takes it unless full
  bool pop(Mail& into);
  std::size_t size() const { return static_cast<std::size_t>(tail_.load() - head_.load()); }   // any thread

 private:
  std::vector<Mail> slots_;
  alignas(64) std::atomic<std::uint64_t> head_ = 0;
  alignas(64) std::atomic<std::uint64_t> tail_ = 0;
};

// The post between the cores of a process: one ring for each ordered pair. Owned by Cores, which outlives every loop; each core
// delivers its own inbox at the start of its turns. Knows nothing of threads, so that a simulator can drive the cores.
// Requests wait while a ring is full; answers never wait, for there is at most one for each request.
class Mailboxes {
 public:
  explicit Mailboxes(const std::vector<std::unique_ptr<Core>>& cores);   // cores must outlive this
  ~Mailboxes();

  // On the sending core: returns once there is room for a request.
  Task<> room(Core& from, CoreId to);
  // On the sending core, at once. What finds the ring full is kept in order and follows later.
  void send(Core& from, CoreId to, Mail mail);
  std::size_t depth(CoreId from, CoreId to) const;   // any thread

  // The tasks that serve other cores' calls on this one. Those of control may end the ordinary ones.
  enum class Service : std::uint8_t { ordinary, control };
  TaskScope& tasks(CoreId core, Service service = Service::ordinary);

 private:
  struct Lane;
  class Box;
  Lane& lane(CoreId from, CoreId to) const;
  bool flush(Lane& lane);

  const std::vector<std::unique_ptr<Core>>& cores_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<Box>> boxes_;
};

namespace detail {

// One call from a core to another, home again with its outcome. Home waits; the owner runs.
class CallLetter : public Letter, public std::enable_shared_from_this<CallLetter> {
 public:
  CallLetter(Mailboxes& mailboxes, Core& home, CoreId owner, Mailboxes::Service service = Mailboxes::Service::ordinary)
      : mailboxes_(mailboxes), home_(home.id()), owner_(owner), service_(service), answered_(home) {}

  // On the home core: sends it off and waits for the answer. When cancelled, tells the owner and leaves the letter to come home
  // by itself.
  Task<> round_trip(Core& home);

 protected:
  // On the owner's core: at once (then true), or as the task that work() makes. Neither lets an exception out.
  virtual bool work_now() = 0;
  virtual Task<> work() = 0;
  std::exception_ptr exception_;

 private:
  enum Step : std::uint8_t { request, answer, cancel, cancel_back };
  class Visit;
  void arrive(Core& here, Mail mail) override;
  void start(Core& here, Mail mail);
  static void reply(Core& here, std::shared_ptr<CallLetter> letter);
  void refuse();
  static Task<> serve(Visit visit);

  Mailboxes& mailboxes_;
  const CoreId home_, owner_;
  const Mailboxes::Service service_;
  WaitList answered_;   // home's
  bool done_ = false;   // home's
  std::optional<TaskScope::Handle> running_;   // the owner's
};

}   // namespace detail
}   // namespace skerry
