// SPDX-License-Identifier: Apache-2.0
#include "runtime/mailboxes.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/assert.hpp"

namespace skerry {

bool MailRing::push(Mail& mail) {
  const auto tail = tail_.load(std::memory_order_relaxed);
  if (tail - head_.load(std::memory_order_acquire) == capacity) return false;
  slots_[tail % capacity] = std::move(mail);
  tail_.store(tail + 1);   // sequentially consistent: see Core::wait
  return true;
}

bool MailRing::pop(Mail& into) {
  const auto head = head_.load(std::memory_order_relaxed);
  if (head == tail_.load(std::memory_order_acquire)) return false;
  into = std::move(slots_[head % capacity]);
  head_.store(head + 1);   // sequentially consistent: see Mailboxes::flush
  return true;
}

struct Mailboxes::Lane {
  Lane(Core& sender, Core& receiver) : from(sender), to(receiver), room(sender) {}
  Core& from;
  Core& to;
  MailRing ring;
  std::atomic<bool> starved = false;   // the sender wants to hear of room
  // The sender's:
  std::deque<Mail> overflow;           // answers and their like that found the ring full
  WaitList room;                       // requests that wait
  bool wants_room() const { return !overflow.empty() || !room.empty(); }
  bool has_room() const { return ring.size() < MailRing::capacity; }
};

// One core's end: what comes to it, and what it could not send yet.
class Mailboxes::Box final : public Inbox {
 public:
  Box(Mailboxes& mailboxes, Core& core) : mailboxes_(mailboxes), core_(core), tasks_(core), control_(core) {
    // A core alone never gets mail: without an inbox its idle turns stay cheap.
    if (mailboxes.cores_.size() > 1) core.set_inbox(this);
  }
  ~Box() override { core_.set_inbox(nullptr); }
  TaskScope& tasks(Service service) { return service == Service::control ? control_ : tasks_; }

  bool deliver() override {
    bool any = false;
    for (const auto& other : mailboxes_.cores_) {
      if (other->id() == core_.id()) continue;
      if (empty(mailboxes_.lane(other->id(), core_.id()))) any = true;
      if (mailboxes_.flush(mailboxes_.lane(core_.id(), other->id()))) any = true;
    }
    return any;
  }

  bool has_mail() const override {
    for (const auto& other : mailboxes_.cores_) {
      if (other->id() == core_.id()) continue;
      if (mailboxes_.lane(other->id(), core_.id()).ring.size() > 0) return true;
      const Lane& out = mailboxes_.lane(core_.id(), other->id());
      if (out.wants_room() && out.has_room()) return true;
    }
    return false;
  }

 private:
  bool empty(Lane& lane) {
    Mail mail;
    std::size_t count = 0;
    // No more than a ring's worth a turn: a busy sender must not keep this loop from its sockets.
    for (; count < MailRing::capacity && lane.ring.pop(mail); ++count) {
      Letter& letter = *mail.letter;
      letter.arrive(core_, std::move(mail));
    }
    if (count > 0 && lane.starved.load() && lane.starved.exchange(false)) lane.from.wake();
    return count > 0;
  }

  Mailboxes& mailboxes_;
  Core& core_;
  TaskScope tasks_, control_;
};

Mailboxes::Mailboxes(const std::vector<std::unique_ptr<Core>>& cores) : cores_(cores) {
  for (const auto& from : cores) {
    for (const auto& to : cores) lanes_.push_back(std::make_unique<Lane>(*from, *to));
  }
  for (const auto& core : cores) boxes_.push_back(std::make_unique<Box>(*this, *core));
}

Mailboxes::~Mailboxes() = default;

Mailboxes::Lane& Mailboxes::lane(CoreId from, CoreId to) const {
  SKERRY_ASSERT(from.value() < cores_.size() && to.value() < cores_.size());
  return *lanes_[from.value() * cores_.size() + to.value()];
}

TaskScope& Mailboxes::tasks(CoreId core, Service service) { return boxes_.at(core.value())->tasks(service); }

std::size_t Mailboxes::depth(CoreId from, CoreId to) const { return lane(from, to).ring.size(); }

// Moves on what waited for room. Whoever still waits is told by the receiver, which reads `starved` after it has popped.
bool Mailboxes::flush(Lane& lane) {
  if (!lane.wants_room()) return false;
  bool moved = false;
  while (!lane.overflow.empty() && lane.ring.push(lane.overflow.front())) {
    lane.overflow.pop_front();
    moved = true;
  }
  if (moved) lane.to.wake();
  if (lane.overflow.empty()) {
    // As many as there are free places now; they push from the loop, before or after the next flush.
    for (std::size_t places = MailRing::capacity - lane.ring.size(); places > 0 && lane.room.wake_one(); --places) moved = true;
  }
  if (lane.wants_room()) lane.starved.store(true);
  return moved;
}

Task<> Mailboxes::room(Core& from, CoreId to) {
  Lane& out = lane(from.id(), to);
  if (!out.wants_room() && out.has_room()) co_return;
  do {
    out.starved.store(true);
    // If room came up in between, this core's has_mail() sees it before sleeping.
    co_await out.room.wait();
  } while (!out.overflow.empty() || !out.has_room());
}

void Mailboxes::send(Core& from, CoreId to, Mail mail) {
  Lane& out = lane(from.id(), to);
  if (out.overflow.empty() && out.ring.push(mail)) return out.to.wake();
  out.overflow.push_back(std::move(mail));
  out.starved.store(true);
}

namespace detail {

// The letter while the owner works on it. Sends it home when the work is over, however it ended.
class CallLetter::Visit {
 public:
  Visit(std::shared_ptr<CallLetter> letter, Core& here) : letter_(std::move(letter)), here_(&here) {}
  Visit(Visit&&) = default;
  ~Visit() {
    if (!letter_) return;
    if (!begun_) letter_->refuse();
    letter_->running_.reset();
    reply(*here_, std::move(letter_));
  }
  CallLetter& begin() {
    begun_ = true;
    return *letter_;
  }

 private:
  std::shared_ptr<CallLetter> letter_;
  Core* here_;
  bool begun_ = false;
};

void CallLetter::refuse() { exception_ = std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)); }

void CallLetter::reply(Core& here, std::shared_ptr<CallLetter> letter) {
  Mailboxes& mailboxes = letter->mailboxes_;
  const CoreId home = letter->home_;
  mailboxes.send(here, home, Mail{std::move(letter), answer});
}

Task<> CallLetter::serve(Visit visit) { co_await visit.begin().work(); }

void CallLetter::start(Core& here, Mail mail) {
  auto self = std::static_pointer_cast<CallLetter>(std::move(mail.letter));
  if (work_now()) return reply(here, std::move(self));
  TaskScope& tasks = mailboxes_.tasks(owner_, service_);
  if (tasks.closed()) {
    refuse();
    return reply(here, std::move(self));
  }
  running_ = tasks.spawn_with_handle(serve(Visit(std::move(self), here)));
}

void CallLetter::arrive(Core& here, Mail mail) {
  switch (mail.step) {
    case request: return start(here, std::move(mail));
    case answer:
      done_ = true;
      answered_.wake_all();
      return;
    case cancel: {
      if (running_) mailboxes_.tasks(owner_, service_).cancel(*running_);
      // Home again, so that the result is freed where the caller is.
      Mailboxes& mailboxes = mailboxes_;
      const CoreId home = home_;
      return mailboxes.send(here, home, Mail{std::move(mail.letter), cancel_back});
    }
    default: return;
  }
}

Task<> CallLetter::round_trip(Core& home) {
  mailboxes_.send(home, owner_, Mail{shared_from_this(), request});
  try {
    while (!done_) co_await answered_.wait();
  } catch (const boost::system::system_error&) {
    if (!done_) mailboxes_.send(home, owner_, Mail{shared_from_this(), cancel});
    throw;
  }
  if (exception_) std::rethrow_exception(exception_);
}

}  // namespace detail
}  // namespace skerry
