// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "sim/schedule.hpp"
#include "sim/trace.hpp"
#include "sim/troubles.hpp"

namespace skerry::sim {

// Between cores: loses, doubles, delays and so reorders messages, and is cut in one direction or both. A Message says `from` and
// `to`, has variants as its `content`, and describe() puts it into words.
template <class Message, class Address>
class LossyNetwork {
 public:
  LossyNetwork(Schedule& schedule, Random& random, Trace& trace, const Troubles& troubles)
      : schedule_(schedule), random_(random), trace_(trace), troubles_(troubles) {}

  void attach(Address address, std::function<void(const Message&)> receiver) { receivers_[address] = std::move(receiver); }
  void send(Message message) {
    if (is_cut(message.from, message.to)) return;
    if (!behaves_ && random_.chance(troubles_.lost)) return;
    if (!behaves_ && random_.chance(troubles_.doubled)) deliver_later(message);
    deliver_later(std::move(message));
  }
  void cut(Address from, Address to) { cut_.emplace(from, to); }
  // In one direction, where partitions are such, or both.
  void cut_link(Address one, Address other) {
    const bool there = random_.chance(0.5);
    if (there || !troubles_.one_way) cut(one, other);
    if (!there || !troubles_.one_way) cut(other, one);
  }
  bool is_cut(Address from, Address to) const { return cut_.contains({from, to}); }
  void heal() { cut_.clear(); }
  void behave() { behaves_ = true; }   // from now on nothing is lost

 private:
  void deliver_later(Message message) {
    const bool late = !behaves_ && random_.chance(troubles_.late);
    const Duration bound = late ? troubles_.lateness_max : troubles_.delay_max;
    const Duration delay = 20us + Duration(random_.below(static_cast<std::uint64_t>(bound.count())));
    schedule_.after(delay, [this, sent = std::move(message)] {
      trace_.note(schedule_.now(),
                  std::uint64_t{sent.from.value()} << 32 ^ std::uint64_t{sent.to.value()} << 8 ^ sent.content.index(),
                  [&] { return describe(sent); });
      receivers_.at(sent.to)(sent);
    });
  }

  Schedule& schedule_;
  Random& random_;
  Trace& trace_;
  const Troubles& troubles_;
  bool behaves_ = false;
  std::map<Address, std::function<void(const Message&)>> receivers_;
  std::set<std::pair<Address, Address>> cut_;
};

}   // namespace skerry::sim
